"""A brain without its skull is distinguished from a head, and its outline supports no stretch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from madreg.image.geometry import Grid, about, mean_displacement
from madreg.image.pair import Pair
from madreg.image.transform import Transform
from madreg.pipeline.refining import best_refined, with_supported_shape
from madreg.progress import Monitor
from madreg.quality.alternatives import Comparison
from madreg.quality.assessment import assess
from madreg.quality.cut_out import cut_out_of_other, leaves_empty, without_outline
from madreg.quality.shape import cut_out_at, is_supported, is_worth_it
from translation import translation, translation_matrix

BEST_OF_ALL = Comparison(1.0, None, -1.0)
"""Given where nothing that is asked for depends on other poses."""


@pytest.fixture(scope="module")
def heads(grid_of, make_volume, head):
    """A CT and an MR of a head in one place, and the brain of the latter alone; all air of the MR is exactly 0."""
    grid = grid_of("straight")
    placed = np.eye(4)
    placed[:3, 3] = grid.center
    ct, mr = make_volume(head.ct, grid, placed, "CT"), make_volume(head.mr, grid, placed, "MR")
    radius = np.linalg.norm((grid.points().numpy() - grid.center) / [58, 72, 64], axis=-1)

    def inside(share: float):
        there = torch.from_numpy(radius < share)
        return replace(mr, data=torch.where(there, mr.data, torch.zeros(())))

    return ct, inside(1.02), inside(0.78), grid.center


def test_a_brain_without_its_skull_was_cut_out(heads):
    ct, _mr, brain, _center = heads
    for mm in (0, 4):
        assert cut_out_of_other(Pair(brain, ct), translation_matrix(0.6 * mm, 0.8 * mm)) == "fixed"
        assert cut_out_of_other(Pair(ct, brain), translation_matrix(0.6 * mm, 0.8 * mm)) == "moving"


@pytest.mark.parametrize("mm", [0, 10, 30])
def test_a_head_in_air_was_not_cut_out(heads, mm):
    ct, mr, _brain, _center = heads
    assert cut_out_of_other(Pair(mr, ct), translation_matrix(0.6 * mm, 0.8 * mm)) is None
    assert cut_out_of_other(Pair(ct, mr), translation_matrix(0.6 * mm, 0.8 * mm)) is None


def test_a_scan_that_shows_nothing_was_not_cut_out(heads):
    ct, mr, _brain, _center = heads
    assert cut_out_of_other(Pair(replace(mr, data=torch.zeros_like(mr.data)), ct), np.eye(4)) is None


@pytest.mark.slow
@pytest.mark.parametrize("is_fixed", [False, True])
def test_the_outline_of_a_brain_supports_no_stretch(heads, is_fixed):
    """Enlarged by a tenth it meets the outside of the skull; the shape alone says so, not another pose."""
    ct, _mr, brain, center = heads
    pair = Pair(brain, ct) if is_fixed else Pair(ct, brain)
    for factor in (1.1, 1 / 1.1):
        pose = about(center, np.eye(3) * factor)
        assert not is_supported(pair, pose)
        assert not is_worth_it(pair, pose, np.eye(4))
        assert assess(pair, Transform(pose), "similarity", comparison=BEST_OF_ALL).verdict != "aligned"


@pytest.mark.slow
@pytest.mark.parametrize("is_fixed", [False, True])
def test_a_stretch_to_the_outside_of_the_skull_is_removed(heads, is_fixed):
    """NMI and NGF together prefer it, so without this a similarity of a brain and a head ends 9 mm off."""
    ct, _mr, brain, center = heads
    pair = Pair(brain, ct) if is_fixed else Pair(ct, brain)
    wrong = Transform(about(center, np.eye(3) * (1.12 if is_fixed else 1 / 1.12)))
    found = with_supported_shape(pair, wrong, "similarity", Monitor())
    points = Pair(brain, ct).points
    assert mean_displacement(wrong.matrix, np.eye(4), points) > 4
    assert mean_displacement(found.matrix, np.eye(4), points) < 2


def test_where_a_scan_is_empty_it_has_no_data(heads):
    _ct, mr, brain, _center = heads
    noisy = replace(mr, data=mr.data + 0.01)
    assert leaves_empty(Pair(noisy, brain)) and leaves_empty(Pair(brain, noisy))
    assert not leaves_empty(Pair(noisy, noisy))
    pair = Pair(noisy, brain)
    shown = without_outline(pair)
    assert shown.fixed.mask.all() and (shown.moving.mask == (brain.data > 0)).all()
    assert shown.points is pair.points and without_outline(pair) is shown


@pytest.mark.slow
def test_a_brain_that_lies_right_has_a_clear_margin(heads):
    """Its outline is as that of its flips."""
    ct, _mr, brain, _center = heads
    pair = Pair(ct, brain)
    right = assess(pair, Transform.identity())
    assert right.verdict == "aligned" and right.margin > 0.3
    assert right.overlap == pytest.approx(without_outline(pair).overlap(np.eye(4)))


@pytest.mark.slow
def test_the_error_does_not_depend_on_whether_outlines_are_compared(heads):
    """A pose that a registration found without outlines is as far off as one that was found with them."""
    _ct, mr, _brain, _center = heads
    pair = Pair(mr, replace(mr, data=mr.data * (mr.data > 0.05)))
    assert leaves_empty(pair) and cut_out_of_other(pair, np.eye(4)) is None
    pose = translation(1.0, -1.0, 0.5)
    shown, inside = assess(pair, pose), assess(pair, pose, has_outline=False)
    assert inside.margin != shown.margin
    for name in ("error_mm", "bound_mm", "deformation_mm", "consensus", "overlap", "verdict"):
        assert getattr(inside, name) == getattr(shown, name)


@pytest.fixture(scope="module")
def sector(heads):
    """The CT, and a cone of the MR with nothing around it, as of an ultrasound scan."""
    ct, mr, _brain, center = heads
    axis = np.array([0.0, -0.28, 0.96])
    from_tip = mr.grid.points().double().numpy() - center + 60 * axis
    depth, radius = from_tip @ axis, np.linalg.norm(from_tip, axis=-1)
    there = torch.from_numpy((depth > 0.8 * radius) & (radius > 10) & (radius < 130))
    return Pair(ct, replace(mr, data=torch.where(there, mr.data + 0.03, torch.zeros(()))))


@pytest.mark.parametrize(("mm", "verdict"), [(0, "aligned"), pytest.param(15, "failed", marks=pytest.mark.slow)])
def test_the_outline_of_a_sector_does_not_decide_how_far_off_it_is(sector, mm, verdict):
    """Blocks at the ends of the cone agree on a stretch to the ends of the head: right poses read 15 to 29 mm."""
    assert cut_out_at(sector, np.eye(4)) is None and leaves_empty(sector)
    found = assess(sector, translation(0.6 * mm, 0.8 * mm), comparison=Comparison(1.0, None, -1.0))
    assert found.error_mm == pytest.approx(mm, abs=2.5) and found.verdict == verdict


def test_a_brain_is_seen_in_a_head_that_is_dark_on_one_side(heads):
    """As far from a surface coil."""
    _ct, mr, brain, _center = heads
    ramp = torch.linspace(0.2, 1.0, mr.data.shape[2]) ** 3
    shaded = replace(mr, data=mr.data * ramp)
    assert cut_out_of_other(Pair(brain, shaded), np.eye(4), evenly_bright=True) == "fixed"
    assert cut_out_of_other(Pair(shaded, brain), np.eye(4), evenly_bright=True) == "moving"


@pytest.mark.slow
@pytest.mark.parametrize(("is_fixed", "factor"), [(False, 1.14), (False, 1 / 1.14), (True, 1.14)])
def test_a_real_stretch_of_a_brain_is_found_without_its_outline(heads, is_fixed, factor):
    """A brain that is larger or smaller than that in the head: NMI with its outline ends 2 to 7 mm off."""
    ct, _mr, brain, center = heads
    grid, stretch = brain.grid, about(center, np.eye(3) * factor)
    stretched = replace(brain, grid=Grid(grid.size, stretch @ grid.matrix))
    pair = Pair(stretched, ct) if is_fixed else Pair(ct, stretched)
    truth = np.linalg.inv(stretch) if is_fixed else stretch
    points = Pair(stretched, ct).points if is_fixed else Pair(brain, ct).points
    found = best_refined(pair, [Transform.identity()], "similarity", Monitor())
    assert mean_displacement(found.matrix, truth, points) < 2
    assert assess(pair, found, "similarity").verdict != "failed"


@pytest.mark.slow
def test_a_head_that_is_stretched_by_mistake_was_not_cut_out(heads):
    """Nor is one that a wrong transform makes so small that it lies within another head."""
    ct, mr, brain, center = heads
    for factor in (0.85, 1 / 0.85):
        assert cut_out_at(Pair(mr, ct), about(center, np.eye(3) * factor)) is None
    assert cut_out_at(Pair(brain, ct), np.eye(4)) == "fixed"
