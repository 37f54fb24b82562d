"""What is worked out of two volumes, and only once."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from madreg.image import pair as module
from madreg.image.pair import FINEST, Pair


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
    shift = np.eye(4)
    assert pair.overlap(shift) > 0.99
    shift[0, 3] = 1000.0
    assert pair.overlap(shift) == pair.greater_overlap(shift) == 0.0


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
