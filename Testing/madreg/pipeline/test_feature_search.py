"""A search in which features choose among the candidates."""

from __future__ import annotations

import numpy as np
import pytest

from madreg.image.geometry import about, mean_displacement
from madreg.image.pair import Pair
from madreg.pipeline import axes_search
from madreg.pipeline import feature_search as module
from madreg.pipeline.feature_search import likeliest, most_alike_of_rest


@pytest.fixture(scope="module")
def scans(ct_and_mr, slab_of):
    """A slab of CT and an MR image a quarter turn and 8 degrees from it, and the true pose."""
    fixed, moving, truth = ct_and_mr("straight", "left-handed", (0, 0, 1), 98)
    return Pair(slab_of(fixed, 60.0), moving), truth


@pytest.mark.slow
def test_the_right_pose_is_found_though_it_is_no_candidate(scans, monkeypatch):
    monkeypatch.setattr(axes_search, "SEEDS", 100)
    monkeypatch.setattr(axes_search, "COUNT", 15)
    pair, truth = scans
    shares = []
    found = likeliest(pair, shares.append)
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)
    assert min(mean_displacement(pose, truth, pair.points) for pose in found) < 10 and len(found) == module.FIRST
    monkeypatch.setattr(module, "FIRST", 0)  # so that it is one of the rest
    shares.clear()
    found = most_alike_of_rest(pair, [], shares.append)
    assert mean_displacement(found[0], truth, pair.points) < 4 and 1 <= len(found) <= module.COUNT
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)


def test_other_candidates_are_compared(scans, monkeypatch, turn):
    """Where the search finds nothing, what others found is left."""
    pair, truth = scans
    monkeypatch.setattr(module, "poses_near_axes", lambda *_: [])
    near = truth @ about(pair.fixed.grid.center, turn((1, 1, 0), 5), np.full(3, 4.0))
    far = truth @ about(pair.fixed.grid.center, turn((1, 0, 0), 90), np.zeros(3))
    found = most_alike_of_rest(pair, [far, near], lambda share: None)
    assert mean_displacement(near, truth, pair.points) > 6
    assert mean_displacement(found[0], truth, pair.points) < 4
    assert likeliest(pair, lambda share: None) == []


def test_each_pose_is_compared_once(monkeypatch):
    """Those that are compared at once are none of the rest."""
    poses = [np.full((4, 4), float(number)) for number in range(20)]
    monkeypatch.setattr(module, "poses_near_axes", lambda *_: poses)
    monkeypatch.setattr(module, "most_alike", lambda pair, some, count, report: list(some))
    first, rest = likeliest(None, print), most_alike_of_rest(None, [np.full((4, 4), 99.0)], print)
    assert [pose[0, 0] for pose in [*first, *rest]] == [*range(20), 99]
