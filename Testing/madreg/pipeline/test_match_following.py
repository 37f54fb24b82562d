"""Without a search, matches of MAD's features and of its network lead back from far off."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from madreg.image.geometry import about, mean_displacement
from madreg.image.pair import Pair
from madreg.image.transform import Transform
from madreg.pipeline import match_following as module
from madreg.pipeline.match_following import MatchFollowing
from madreg.progress import Monitor


@pytest.fixture(scope="module")
def slabs(ct_and_mr, slab_of):
    """A CT, 60 mm of an MR of the same head, and the true pose."""
    fixed, moving, truth = ct_and_mr("sagittal slabs", "oblique", (1, 1, 0.5), 80)
    return Pair(fixed, slab_of(moving, 60.0)), truth


@pytest.mark.slow
def test_features_lead_back_in_a_slab_that_lies_anywhere(slabs, turn):
    pair, truth = slabs
    start = Transform(truth @ about(pair.points.mean(0), turn((1, -1, 2), 8), np.array([90.0, 90.0, -80.0])))
    seen = []
    found = MatchFollowing().run(pair, [start], Monitor(lambda progress: seen.append(progress.fraction)))
    assert found[0] is start and len(found) == 3
    assert mean_displacement(start.matrix, truth, pair.points) > 140
    assert mean_displacement(found[1].matrix, truth, pair.points) < 8
    assert seen == sorted(seen)


def test_of_large_images_the_network_alone_is_followed(slabs, monkeypatch):
    pair, truth = slabs
    monkeypatch.setattr(module, "liters_shown", lambda pair: [5.0, 33.0])
    monkeypatch.setattr(module, "align", lambda mad, start, progress: (np.eye(4), 3.0))
    found = MatchFollowing().run(pair, [Transform(truth)], Monitor())
    assert [tuple(one.matrix[:3, 3]) for one in found] == [tuple(truth[:3, 3]), (0, 0, 0)]


def test_a_network_that_does_not_match_adds_nothing(slabs, monkeypatch):
    pair, truth = slabs
    fused = SimpleNamespace(finds_correspondences=False)
    monkeypatch.setattr(module, "mad_of", lambda pair, weights: fused)
    monkeypatch.setattr(
        module, "match_search", lambda pair, weights_path: SimpleNamespace(settle=lambda pose, report: np.eye(4))
    )
    found = MatchFollowing("fused.pt").run(pair, [Transform(truth)], Monitor())
    assert [tuple(one.matrix[:3, 3]) for one in found] == [tuple(truth[:3, 3]), (0, 0, 0)]
