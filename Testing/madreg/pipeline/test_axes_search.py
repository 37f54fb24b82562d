"""A search of the poses that bring the axes of both lattices near each other."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from madreg.image.geometry import mean_displacement
from madreg.image.pair import Pair
from madreg.pipeline import axes_search
from madreg.pipeline.axes_search import poses_near_axes
from translation import translation_matrix


@pytest.fixture(scope="module")
def scans(ct_and_mr, slab_of):
    """A slab of CT and an MR image a quarter turn and 8 degrees from it, and the true pose."""
    fixed, moving, truth = ct_and_mr("straight", "left-handed", (0, 0, 1), 98)
    return slab_of(fixed, 60.0), moving, truth


@pytest.mark.slow
def test_the_right_pose_is_among_the_first(scans, monkeypatch):
    monkeypatch.setattr(axes_search, "SEEDS", 100)
    monkeypatch.setattr(axes_search, "COUNT", 15)
    fixed, moving, truth = scans
    pair, shares = Pair(fixed, moving), []
    found = poses_near_axes(pair, shares.append)
    assert min(mean_displacement(pose, truth, pair.points) for pose in found[:6]) < 8
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)


def test_candidates_of_both_searches_come_in_turn_and_are_searched_for_once(scans, monkeypatch):
    pair = Pair(*scans[:2])
    asked, counts = [], iter([1, 3])

    def search(fixed, moving, **how):
        asked.append((fixed, moving))
        how["progress"](1.0)
        place = 100 * len(asked)
        return [SimpleNamespace(matrix=translation_matrix(place + number)) for number in range(next(counts))]

    monkeypatch.setattr(axes_search, "search", search)
    for _ in range(2):
        found = poses_near_axes(pair, lambda share: None)
        assert [pose[0, 3] for pose in found] == [100, 200, 201, 202]
    assert asked == [(pair.fixed, pair.moving), pair.flattened]
