"""Which poses are looked at closely."""

from __future__ import annotations

import numpy as np
import pytest

from madreg.image.pair import Pair
from madreg.quality import screening
from madreg.quality.flips import flipped_poses, mirrored_poses
from madreg.quality.screening import promising
from translation import translation_matrix


@pytest.fixture(scope="module")
def pair(grid_of, make_volume, head):
    """Two heads of opposite contrast in one place."""
    grid = grid_of("straight")
    return Pair(make_volume(head.ct, grid), make_volume(head.mr, grid))


class Scored:
    """Poses whose score is their shift along x."""

    def descend(self, poses, kind, schedule):
        return poses, -poses[:, 0, 3]


@pytest.mark.parametrize(
    ("of_pose", "scores", "kept"),
    [
        (0.7, [0.5, 0.45, 0.3], [0.5, 0.45]),
        (0.7, [0.3, 0.2, 0.1], [0.3]),
        (0.7, [0.38, 0.36, 0.33], [0.38, 0.36]),
        (0.45, [0.2, 0.15, -0.1], [0.2, 0.15]),
        (0.1, [0.7, 0.1], [0.7]),
    ],
)
def test_the_best_pose_and_those_near_it_are_kept_unless_the_pose_is_clearly_better(monkeypatch, of_pose, scores, kept):
    monkeypatch.setattr(screening, "_agreement", lambda pair: Scored())
    found = promising(None, translation_matrix(of_pose), [translation_matrix(score) for score in scores])
    assert [pose[0, 3] for pose in found] == kept


def test_of_the_flips_of_a_flip_the_right_pose_is_promising_and_not_all_are(pair):
    center, axes = pair.points.mean(0), pair.fixed.grid.axes
    kept = 0
    for flip in flipped_poses(np.eye(4), center, axes):
        found = promising(pair, flip, flipped_poses(flip, center, axes))
        assert any(np.allclose(one, np.eye(4), atol=1e-6) for one in found)
        kept += len(found)
    assert kept < 3 * 3


@pytest.mark.parametrize("role", ["fixed", "moving"])
def test_a_mirror_image_is_found_where_one_scan_shows_a_part(pair, role):
    volume = pair.fixed
    half = volume.mask.clone()
    half[: len(half) // 2] = False
    part = type(volume)(volume.name, volume.data * half, volume.grid, half)
    scans = {"fixed": pair.fixed, "moving": pair.moving, role: part}
    some = Pair(**scans)
    center, axes = some.points.mean(0), volume.grid.axes
    mirrored = mirrored_poses(np.eye(4), center, axes)
    for pose in mirrored:
        found = promising(some, pose, mirrored_poses(pose, center, axes))
        assert any(np.allclose(one, np.eye(4), atol=1e-6) for one in found)


def test_a_single_other_pose_is_kept_without_a_comparison():
    assert len(promising(None, np.eye(4), [translation_matrix(1.0)])) == 1
