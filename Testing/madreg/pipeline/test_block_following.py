"""From a start that is far off blocks lead to the right pose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from madreg.image.geometry import about, mean_displacement
from madreg.image.pair import Pair
from madreg.image.transform import Transform
from madreg.pipeline.block_following import Followed, follow_blocks
from madreg.pipeline.candidates import candidates_of
from madreg.pipeline.initialization import initialization
from madreg.progress import Monitor
from madreg.quality.verdict import GOOD_CONSENSUS
from madreg.settings import Settings


@pytest.fixture(scope="module")
def slabs(ct_and_mr, slab_of):
    """A CT, 60 mm of an MR of the same head, and the true pose."""
    fixed, moving, truth = ct_and_mr("sagittal slabs", "oblique", (1, 1, 0.5), 80)
    return Pair(fixed, slab_of(moving, 60.0)), truth


def off(slabs, turn, degrees: float, mm: float) -> Transform:
    """The true pose, missed by a rotation about the middle of the head and a shift."""
    pair, truth = slabs
    shift = mm * np.array([0.6, 0.64, -0.48])
    return Transform(truth @ about(pair.points.mean(0), turn((1, -1, 2), degrees), shift))


@pytest.mark.parametrize(("degrees", "mm"), [(0, 50), pytest.param(30, 20, marks=pytest.mark.slow)])
def test_blocks_lead_back_from_far_off(slabs, turn, degrees, mm):
    pair, truth = slabs
    start = off(slabs, turn, degrees, mm)
    assert mean_displacement(start.matrix, truth, pair.points) > 30
    found = follow_blocks(pair, start, Monitor())
    assert mean_displacement(found.transform.matrix, truth, pair.points) < 8


@pytest.mark.slow
def test_what_they_lead_to_is_a_candidate_without_search(slabs, turn, monkeypatch):
    pair, truth = slabs
    monkeypatch.setattr("madreg.pipeline.match_following.MatchFollowing.run", lambda _, pair, found, monitor: found)
    start, settings = off(slabs, turn, 0, 70), Settings(init="none", device="cpu")
    _, candidates = candidates_of(pair, start, initialization("none"), settings, Monitor())
    assert len(candidates) == 2 and mean_displacement(candidates[0].matrix, truth, pair.points) < 8


@pytest.mark.slow
@pytest.mark.parametrize("is_sure", [True, False])
def test_matches_are_followed_where_blocks_are_not_sure(slabs, monkeypatch, is_sure):
    """Those of the network take twice the time, and reach farther in whole heads."""
    pair, truth = slabs
    asked = []

    def follow_matches(_, pair, found, monitor):
        asked.append(found)
        return found

    monkeypatch.setattr("madreg.pipeline.match_following.MatchFollowing.run", follow_matches)
    consensus = GOOD_CONSENSUS if is_sure else GOOD_CONSENSUS - 0.01
    monkeypatch.setattr(
        "madreg.pipeline.candidates.follow_blocks", lambda pair, start, monitor: Followed(start, consensus)
    )
    settings = Settings(init="none", device="cpu")
    candidates_of(pair, Transform(truth), initialization("none"), settings, Monitor())
    assert bool(asked) != is_sure


def test_where_blocks_show_nothing_they_lead_nowhere(slabs):
    pair, truth = slabs
    empty = Pair(pair.fixed, replace(pair.moving, data=torch.zeros_like(pair.moving.data)))
    assert follow_blocks(empty, Transform(truth), Monitor()) is None
