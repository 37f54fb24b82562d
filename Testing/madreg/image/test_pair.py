"""What is worked out of two volumes, and only once."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from madreg.image import pair as module
from madreg.image.geometry import Grid, apply
from madreg.image.pair import FINEST, Pair
from translation import translation_matrix


@pytest.fixture(scope="module")
def pair(grid_of, make_volume, head):
    grid = grid_of("straight")
    placed = np.eye(4)
    placed[:3, 3] = grid.center
    return Pair(make_volume(head.ct, grid, placed, "CT"), make_volume(head.mr, grid, placed, "MR"), seed=3)


def test_levels_are_made_once_and_shared_with_the_swapped_pair(pair):
    assert pair.fixed.grid.spacing.min() >= FINEST
    fixed, moving = pair.level(6.0)
    assert fixed.grid.spacing == pytest.approx([6.0] * 3)
    again, other = pair.swapped.level(6.0)
    assert again is moving and other is fixed


def test_volumes_without_shading_are_made_once_for_both_directions(pair, monkeypatch):
    made = []

    def flattened(volume, sigma):
        made.append(volume.name)
        return volume.resampled(sigma)

    monkeypatch.setattr(module, "flattened", flattened)
    for one in (Pair(pair.fixed, pair.moving), Pair(pair.fixed, pair.moving).swapped):
        made.clear()
        fixed, moving = one.flattened
        assert (fixed.name, moving.name) == (one.fixed.name, one.moving.name)
        assert one.swapped.flattened == (moving, fixed) and sorted(made) == ["CT", "MR"]


def test_what_is_made_once_is_made_once(pair):
    made = []
    assert [pair.once("list", lambda: made.append(1) or len(made)) for _ in range(3)] == [1, 1, 1]


def test_overlap_of_either_scan(pair):
    away = translation_matrix(1000.0)
    assert pair.overlap(np.eye(4)) > 0.99
    assert pair.overlap(away) == pair.greater_overlap(away) == 0.0


def test_points_depend_on_the_seed_alone(pair):
    other = Pair(pair.fixed, pair.moving, seed=3)
    assert (other.points == pair.points).all()
    assert not (Pair(pair.fixed, pair.moving, seed=4).points == pair.points).all()


def test_what_several_threads_ask_for_is_made_once(pair):
    made = []

    def make():
        time.sleep(0.05)  # the others ask meanwhile
        made.append(pair.once("inner", lambda: 1))
        return made

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(pair.once, "slow", make) for _ in range(4)]
    assert all(one.result() is made for one in asked) and made == [1]


def test_a_long_volume_is_cropped_to_what_the_other_can_reach(pair, head, make_volume, monkeypatch):
    """A head at the end of 1.2 m: what is left costs about as much as the head, and lies where it lay."""
    grid = Grid((40, 44, 300), np.diag([4.0, 4.0, 4.0, 1.0]))
    placed, pose = np.eye(4), np.eye(4)
    placed[:3, 3] = [80.0, 90.0, 1090.0]
    pose[:3, 3] = pair.moving.grid.center - placed[:3, 3]
    long = make_volume(head.ct, grid, placed, "body")
    whole = Pair(long, pair.moving, seed=3)
    assert whole.near([pose]) is whole  # it costs little as it is
    monkeypatch.setattr(module, "LARGE", 100_000)
    for near, one, back in (
        (whole.near([pose]), whole.near([pose]).fixed, False),
        (whole.swapped.near([np.linalg.inv(pose)]), whole.swapped.near([np.linalg.inv(pose)]).moving, True),
    ):
        assert one.data.numel() < 0.4 * long.data.numel()
        corner = one.grid.matrix[:3, 3]
        begin = np.round(apply(long.grid.inverse, corner)).astype(int)
        k, j, i = one.data.shape
        there = (slice(begin[2], begin[2] + k), slice(begin[1], begin[1] + j), slice(begin[0], begin[0] + i))
        assert (one.data == long.data[there]).all() and (one.mask == long.mask[there]).all()
        unlike = whole.swapped if back else whole
        assert (near.points == unlike.points).all() and near.moving_is_part == unlike.moving_is_part
        at = np.linalg.inv(pose) if back else pose
        assert near.overlap(at) == pytest.approx(unlike.overlap(at), abs=1e-6)
        assert near.greater_overlap(at) == pytest.approx(unlike.greater_overlap(at), abs=1e-6)


def test_volumes_of_one_size_are_not_cropped(pair, monkeypatch):
    monkeypatch.setattr(module, "LARGE", 0)
    assert pair.near([np.eye(4), translation_matrix(40.0)]) is pair


def test_a_pose_without_overlap_crops_nothing(pair, monkeypatch):
    monkeypatch.setattr(module, "LARGE", 0)
    assert pair.near([translation_matrix(5000.0)]) is pair
