"""Rotations of a cube, and those that bring the axes of two lattices near each other."""

from __future__ import annotations

import numpy as np
import pytest

from madreg.image.geometry import rotation_angle
from madreg.pose.rotations import DENSE, OFF_AXIS, cube_group, near_axes


@pytest.mark.parametrize("moving", ["oblique", "left-handed"])
def test_every_axis_lies_near_one_of_the_other_lattice(awkward_grid, grid_of, moving):
    fixed_axes, moving_axes = awkward_grid.axes, grid_of(moving).axes
    rotations = near_axes(fixed_axes, moving_axes)
    assert np.allclose(np.linalg.det(rotations), 1) and 0.02 < len(rotations) / DENSE < 0.08
    cosines = np.abs(np.einsum("ia,rij,jb->rab", moving_axes, rotations, fixed_axes)).max(2)
    assert (cosines >= np.cos(np.deg2rad(OFF_AXIS))).all()


def test_a_rotation_that_brings_axes_together_has_one_nearby_and_others_have_none(turn):
    fixed_axes, moving_axes = turn((1, 2, 3), 40), turn((0, 1, -1), 70)
    rotations = near_axes(fixed_axes, moving_axes)

    def off(wanted: np.ndarray) -> float:
        """Degrees to the nearest rotation, fixed to moving directions, of one between the axes."""
        between = moving_axes @ wanted @ fixed_axes.T
        return min(rotation_angle(one.T @ between) for one in rotations)

    half, quarter = np.diag([-1.0, -1.0, 1.0]), np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    for wanted in (np.eye(3), half, quarter, quarter @ half, turn((1, 1, 0), 12) @ quarter):
        assert off(wanted) < 13
    assert off(turn((0, 0, 1), 45)) > 15


def test_all_rotations_of_a_cube_start_with_none():
    group = cube_group()
    assert len(np.unique(group.round(), axis=0)) == len(group) == 24
    np.testing.assert_array_equal(group[0], np.eye(3))
    for one in group:
        assert np.linalg.det(one) == pytest.approx(1)
        assert any(rotation_angle(one) == pytest.approx(degrees) for degrees in (0, 90, 120, 180))
