"""From a start that is far off blocks lead to the right pose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from madreg.image.geometry import about, mean_displacement
from madreg.image.pair import Pair
from madreg.image.transform import Transform
from madreg.pipeline.block_following import BlockFollowing
from madreg.pipeline.candidates import candidates_of
from madreg.pipeline.initialization import initialization
from madreg.progress import Monitor
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
    kept, found = BlockFollowing().run(pair, [start], Monitor())
    assert kept is start and mean_displacement(found.matrix, truth, pair.points) < 8


@pytest.mark.slow
def test_what_they_lead_to_is_a_candidate_without_search(slabs, turn, monkeypatch):
    pair, truth = slabs
    monkeypatch.setattr("madreg.pipeline.match_following.MatchFollowing.run", lambda _, pair, found, monitor: found)
    start, settings = off(slabs, turn, 0, 70), Settings(init="none", device="cpu")
    _, candidates = candidates_of(pair, start, initialization("none"), settings, Monitor())
    assert len(candidates) == 2 and mean_displacement(candidates[0].matrix, truth, pair.points) < 5


def test_where_blocks_show_nothing_there_is_no_other_candidate(slabs):
    pair, truth = slabs
    empty = Pair(pair.fixed, replace(pair.moving, data=torch.zeros_like(pair.moving.data)))
    start = Transform(truth)
    assert BlockFollowing().run(empty, [start], Monitor()) == [start]
