"""A search by matches of features finds the right pose of unlike contrasts from a rotation that is roughly known."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from madreg import resources
from madreg.image.geometry import Grid, about, mean_displacement, rotation
from madreg.image.pair import Pair
from madreg.io.reading import read_volume
from madreg.network import weights
from madreg.pose.match_search import MatchSearch
from madreg.pose.rotations import along_axes

POINTS = 2000


@pytest.fixture(scope="module")
def network():
    return weights.load_features()[0]


@pytest.fixture(scope="module")
def scans(ct_and_mr, slab_of):
    """A slab of CT, an MR image a quarter turn and 8 degrees from it on an oblique lattice, and the true pose."""
    fixed, moving, truth = ct_and_mr("left-handed", "oblique", (0, 0, 1), 98)
    return slab_of(fixed, 60.0), moving, truth


def off_by(pair: Pair, truth: np.ndarray, pose: np.ndarray) -> float:
    return mean_displacement(pose, truth, pair.points)


@pytest.mark.parametrize(("degrees", "near_mm"), [(0, 5.0), (12, 12.0)])
@pytest.mark.parametrize("is_swapped", [False, True])
def test_the_right_pose_is_first_and_clearly_so(scans, network, degrees, near_mm, is_swapped):
    fixed, moving, truth = scans
    turn = rotation(np.array([0.6, 0.0, 0.8]), degrees)
    rotations = np.stack([turn @ truth[:3, :3], rotation(np.array([1.0, 0.0, 0.0]), 90) @ truth[:3, :3]])
    if is_swapped:
        fixed, moving, truth, rotations = moving, fixed, np.linalg.inv(truth), rotations.transpose(0, 2, 1)
    pair, shares = Pair(fixed, moving), []
    found = MatchSearch(fixed, moving, network, POINTS).run(rotations, 6, shares.append)
    assert off_by(pair, truth, found[0].matrix) < near_mm
    others = [one.score for one in found if off_by(pair, truth, one.matrix) > 20]
    assert found[0].score > 1.3 * max(others) and len(found) == 6  # the head is nearly symmetric
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    np.testing.assert_allclose([one.matrix[:3, :3] @ one.matrix[:3, :3].T for one in found], [np.eye(3)] * 6, atol=1e-9)
    assert shares == [0.5, 1.0]


@pytest.mark.parametrize("is_swapped", [False, True])
def test_matches_are_followed_to_the_right_pose(scans, network, is_swapped):
    """From 18 degrees off; more of them meet seen from where they lead, and few from a wrong pose."""
    fixed, moving, truth = scans
    if is_swapped:
        fixed, moving, truth = moving, fixed, np.linalg.inv(truth)
    pair, middle, shares = Pair(fixed, moving), fixed.center_of_mass(), []
    near, wrong = (
        truth @ about(middle, rotation(np.array(axis), degrees), np.array([50.0, -40.0, 30.0]))
        for axis, degrees in (((0.6, 0.0, 0.8), 18.0), ((1.0, 0.0, 0.0), 90.0))
    )
    search = MatchSearch(fixed, moving, network, 500)
    once = search.follow([near, wrong], shares.append)
    twice = search.follow([one.matrix for one in once])
    assert off_by(pair, truth, twice[0].matrix) < off_by(pair, truth, once[0].matrix) < 15
    assert twice[0].score > once[0].score > 1.3 * twice[1].score
    assert shares == [0.5, 1.0]


def test_matches_lead_home_from_any_translation(scans, network):
    fixed, moving, truth = scans
    start = truth @ about(fixed.center_of_mass(), np.eye(3), np.array([300.0, -400.0, 150.0]))
    shares: list[float] = []
    pose = MatchSearch(fixed, moving, network, 500).settle(start, shares.append)
    assert off_by(Pair(fixed, moving), truth, pose) < 6
    assert shares == [0.25, 0.5]  # where it lies then, it stays


@pytest.mark.slow
def test_of_real_scans_axes_of_the_lattices_are_rotations_enough(network, turn):
    """An EPI and a T1w of one head, seven degrees apart, one of them rotated anywhere."""
    fixed, moving = (read_volume(resources.path("Demo", f"{name}.nii.gz"))[0] for name in ("T1w", "EPI"))
    truth = np.array(json.loads(resources.path("Demo", "truth.json").read_text())["fixed_to_moving_lps_mm"])
    anywhere = about(np.array([50.0, 0.0, -70.0]), turn((1, -2, 3), 130), np.array([300.0, -50.0, 20.0]))
    moving = replace(moving, grid=Grid(moving.grid.size, anywhere @ moving.grid.matrix))
    rotations = along_axes(fixed.grid.axes, moving.grid.axes)
    found = MatchSearch(fixed, moving, network, 1000).run(rotations, 2)
    assert off_by(Pair(fixed, moving), anywhere @ truth, found[0].matrix) < 6
    assert found[0].score > 1.3 * found[1].score


def test_where_next_to_nothing_matches_nothing_is_found(scans, network):
    fixed, moving, truth = scans
    search = MatchSearch(fixed, moving, network, 3)
    assert search.run(truth[None, :3, :3], 4) == [] and search.follow([truth]) == []
    np.testing.assert_array_equal(search.settle(truth), truth)


def test_it_stops_where_progress_raises(scans, network):
    fixed, moving, truth = scans

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        MatchSearch(fixed, moving, network, 100).run(truth[None, :3, :3], 4, stop)
