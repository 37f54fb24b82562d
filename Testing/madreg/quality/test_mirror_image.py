"""How well a mirror image fits, measured by NMI."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from madreg.image.geometry import about, mean_displacement
from madreg.image.pair import Pair
from madreg.quality.flips import mirrored_poses
from madreg.quality.mirror_image import refined_share


@pytest.fixture(scope="module")
def scans(grid_of, make_volume, head):
    """Two heads of opposite contrast in one place, and the mirror image across their middle."""
    grid = grid_of("straight")
    fixed, moving = make_volume(head.ct, grid), make_volume(head.mr, grid)
    pair = Pair(fixed, moving)
    return fixed, moving, mirrored_poses(np.eye(4), grid.center, grid.axes[:, :1])[0], pair


def test_a_mirror_image_of_a_head_shares_less_than_the_head_also_from_a_little_off(scans):
    *_, mirrored, pair = scans
    off = about(np.zeros(3), np.eye(3), np.array([1.5, -1.0, 1.0]))
    share, _ = refined_share(pair, np.eye(4), mirrored)
    assert share < 0.8
    again, poses = refined_share(pair, off, mirrored)
    assert mean_displacement(poses[0], np.eye(4), pair.points) < 0.5
    assert again == pytest.approx(share, abs=0.03)
    assert refined_share(pair, mirrored, np.eye(4))[0] == pytest.approx(1 / share, rel=0.03)


def test_of_a_symmetric_scan_both_share_as_much(scans):
    fixed, moving, mirrored, _ = scans
    symmetric = replace(moving, data=(moving.data + moving.data.flip(2)) / 2)
    assert refined_share(Pair(fixed, symmetric), np.eye(4), mirrored)[0] == pytest.approx(1.0, abs=0.03)


def test_of_a_scan_that_shows_nothing_there_is_nothing_to_share(scans):
    fixed, moving, mirrored, _ = scans
    empty = replace(moving, data=moving.data * 0)
    assert refined_share(Pair(fixed, empty), np.eye(4), mirrored)[0] == 1.0
