"""Whether a stretch is there, where blocks alone do not show it: two crossed slabs have few in common."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from madreg.image.geometry import about
from madreg.image.pair import Pair
from madreg.image.volume import Volume
from madreg.quality.block_fit import block_matching_of, fit_blocks
from madreg.quality.shape import Stretch, is_gained, is_merely_off, is_supported, is_worth_it, nearest_rigid

STRETCH = 1.15
THICKNESS_MM, OFFSET_MM = 36.0, 15.0


@pytest.fixture(scope="module")
def slabs(straight, slab_of) -> tuple[Volume, Volume]:
    """A coronal one of the CT and a sagittal one of the MR image."""
    fixed, moving, _center = straight
    return slab_of(fixed, THICKNESS_MM, 1, OFFSET_MM), slab_of(moving, THICKNESS_MM, 0, -OFFSET_MM)


@pytest.mark.parametrize("axis", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_stretch_between_crossed_slabs_is_worth_it(slabs, axis):
    """Blocks do not support it, so without it affine registrations of such slabs end 5 mm off."""
    fixed, moving = slabs
    matrix = fixed.grid.matrix.copy()
    matrix[:3, axis] *= STRETCH
    right = fixed.grid.matrix @ np.linalg.inv(matrix)
    pair = Pair(replace(fixed, grid=replace(fixed.grid, matrix=matrix)), moving)
    assert not is_supported(pair, right)
    assert is_worth_it(pair, right, nearest_rigid(pair, right))


@pytest.mark.parametrize("axis", [0, *(pytest.param(axis, marks=pytest.mark.slow) for axis in (1, 2))])
def test_a_stretch_that_is_not_there_is_not_worth_it(slabs, axis):
    factors = np.ones(3)
    factors[axis] = STRETCH
    pose = about(slabs[0].grid.center, np.diag(factors))
    assert not is_worth_it(Pair(*slabs), pose, np.eye(4))
    assert not is_worth_it(Pair(*slabs), pose, nearest_rigid(Pair(*slabs), pose))


def test_a_stretch_that_blocks_at_the_ends_of_a_small_part_show_is_not_gained(straight):
    """As of a cone-beam CT: where its cylinder ends, blocks prefer its middle."""
    fixed, moving, center = straight
    from_middle = moving.grid.points() - torch.as_tensor(center + [0, 0, 30])
    there = (from_middle[..., :2].norm(dim=-1) < 40) & (from_middle[..., 2].abs() < 25)
    part = replace(moving, data=torch.where(there, moving.data, torch.zeros(())), mask=moving.mask & there)
    pair = Pair(fixed, part)
    found = fit_blocks(block_matching_of(pair), np.eye(4), pair.points)
    assert found.is_stretched and Stretch.of(found.preferred[:3, :3]).is_clear
    assert not is_gained(pair, np.eye(4), found.preferred)


@pytest.mark.slow
def test_a_stretch_between_slab_and_head_is_gained(straight, slab_of):
    fixed, moving, center = straight
    matrix = about(center, np.diag([1.25, 1.0, 1.0])) @ fixed.grid.matrix
    pair = Pair(slab_of(replace(fixed, grid=replace(fixed.grid, matrix=matrix)), THICKNESS_MM), moving)
    found = fit_blocks(block_matching_of(pair), np.eye(4), pair.points)
    assert found.is_stretched and is_gained(pair, np.eye(4), found.preferred)


@pytest.mark.parametrize(("factor", "is_there"), [(1.0, False), pytest.param(1.25, True, marks=pytest.mark.slow)])
def test_the_motion_of_a_wrong_pose_gains_nothing_for_a_stretch(straight, factor, is_there):
    """What NMI and NGF gain by moving the scan back by 20 mm is no reason to stretch it."""
    fixed, moving, center = straight
    change = about(center, np.diag([factor, 1.0, 1.0]))
    fixed = replace(fixed, grid=replace(fixed.grid, matrix=change @ fixed.grid.matrix))
    off = np.eye(4)
    off[:3, 3] = (20.0, 0.0, 0.0)
    preferred = np.linalg.inv(change) if is_there else about(center, np.diag([1.1, 1.0, 1.0]))
    pair = Pair(fixed, moving)
    assert is_gained(pair, off, preferred) is is_there
    assert is_merely_off(pair, off, preferred) is not is_there


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_stretch_is_not_only_one_of_the_slice_distance(axis):
    """Along the rows of axial slices it is one of the pixels."""
    factors = np.ones(3)
    factors[axis] = 1.1
    said = Stretch.of(np.diag(factors)).sentence()
    assert "check the voxel size along it" in said and "seem to differ" in said  # blocks of a windowed CT err by 4 %
