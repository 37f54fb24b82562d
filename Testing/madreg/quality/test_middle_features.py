"""Poses are ordered by how alike features of 4 mm are near them."""

from __future__ import annotations

import numpy as np
import pytest

from madreg.image.geometry import about, apply, mean_displacement
from madreg.quality.middle_features import most_alike
from translation import translation_matrix


@pytest.fixture(scope="module")
def poses(slab_pair, turn):
    """Near the true pose twice, and far from it: a quarter turn, and two shifts."""
    pair, truth = slab_pair
    center = pair.fixed.grid.center
    near = [truth @ about(center, turn((1, 1, -2), degrees), np.array([4.0, -5.0, 4.0])) for degrees in (5, -5)]
    quarter = truth @ about(center, turn((1, 0, 0), 90), np.zeros(3))
    shifts = [truth @ translation_matrix(0.0, mm) for mm in (80.0, -80.0)]
    return near, [quarter, *shifts]


def test_the_right_pose_is_the_first_and_comes_nearer(slab_pair, poses):
    pair, truth = slab_pair
    near, far = poses
    points = apply(np.linalg.inv(truth), pair.swapped.points)
    found = most_alike(pair, [*far, near[0]], 3)
    assert mean_displacement(near[0], truth, points) > 8
    assert mean_displacement(found[0], truth, points) < 4


@pytest.mark.slow
def test_poses_that_lead_to_one_are_one(slab_pair, poses):
    pair, _ = slab_pair
    near, far = poses
    assert len(most_alike(pair, near, 5)) == 1
    found = most_alike(pair, [*near, *far], 5)
    assert 2 <= len(found) <= 4 and len(most_alike(pair, [*near, *far], 2)) == 2
    assert most_alike(pair, [], 5) == []


def test_progress_may_stop_it(slab_pair, poses):
    pair, _ = slab_pair

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        most_alike(pair, poses[0], 5, stop)
