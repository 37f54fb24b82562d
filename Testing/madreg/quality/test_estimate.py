"""The estimated error, its verdict and its map against the truth, in millimetres."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from madreg.image.geometry import Grid, about, apply, mean_displacement
from madreg.image.volume import Volume
from madreg.quality.blocks import BlockMatching
from madreg.quality.estimate import Estimate, error_map, estimate, turned


@pytest.fixture(scope="module")
def scans(grid_of, make_volume, head, turn, spots):
    """A CT and an MR on awkward lattices, the true pose, and points over the head."""
    fixed_grid, moving_grid = grid_of("sagittal slabs"), grid_of("oblique")
    placed, pose = np.eye(4), about(np.zeros(3), turn((1, 1, 0.5), 80))
    placed[:3, 3], pose[:3, 3] = fixed_grid.center, moving_grid.center
    fixed, moving = make_volume(head.ct, fixed_grid, placed, "CT"), make_volume(head.mr, moving_grid, pose, "MR")
    return fixed, moving, pose @ np.linalg.inv(placed), spots + fixed_grid.center


def off(truth: np.ndarray, points: np.ndarray, turn, degrees: float, mm: float) -> np.ndarray:
    """The true pose, missed by a rotation about the head's middle and a shift."""
    return truth @ about(points.mean(0), turn((1, -1, 2), degrees), mm * np.array([0.6, 0.64, -0.48]))


@pytest.mark.slow
@pytest.mark.parametrize(("degrees", "mm"), [(0, 0), (0, 2), (3, 3), (5, 8), (10, 14)])
def test_the_estimate_follows_the_truth(scans, turn, degrees, mm):
    fixed, moving, truth, points = scans
    pose = off(truth, points, turn, degrees, mm)
    found = estimate(BlockMatching(fixed, moving), pose, points)
    assert found.error_mm == pytest.approx(mean_displacement(pose, truth, points), abs=1.5)
    assert mean_displacement(found.preferred, truth, points) < 1.5


def test_a_right_pose_is_aligned_and_one_off_is_not(scans, turn):
    fixed, moving, truth, points = scans
    assert estimate(BlockMatching(fixed, moving), truth, points).verdict == "aligned"
    assert estimate(BlockMatching(fixed, moving), off(truth, points, turn, 4, 6), points).verdict == "check"
    assert estimate(BlockMatching(fixed, moving), off(truth, points, turn, 0, 15), points).verdict == "failed"


def test_a_head_the_wrong_way_round_is_found_out(scans):
    fixed, moving, truth, points = scans
    for wrong in turned(truth, points.mean(0)):
        assert mean_displacement(wrong, truth, points) > 50
        found = estimate(BlockMatching(fixed, moving), wrong, points)
        assert found.lead < 1 and mean_displacement(found.rival, truth, points) < 2
        assert found.verdict == "failed"


@pytest.mark.parametrize(
    ("lead", "error", "verdict"),
    [(2.0, 1.0, "aligned"), (2.0, 5.0, "check"), (1.4, 1.0, "check"), (2.0, 11.0, "failed"), (1.0, 1.0, "failed")],
)
def test_the_verdict_needs_a_small_error_and_a_clear_lead(lead, error, verdict):
    assert Estimate(np.eye(4), error, 0.5, lead, np.eye(4)).verdict == verdict


@pytest.mark.parametrize(
    ("lead", "margin", "error", "verdict"),
    [
        (1.1, 0.06, 1.0, "check"),
        (1.1, 0.06, 11.0, "failed"),
        (1.1, 0.02, 1.0, "failed"),
        (1.1, None, 1.0, "failed"),
        (2.0, 0.02, 1.0, "aligned"),
        (2.0, -0.01, 1.0, "failed"),
    ],
)
def test_a_pose_in_doubt_needs_a_lead_or_a_margin_and_must_not_be_beaten(lead, margin, error, verdict):
    assert Estimate(np.eye(4), error, 0.5, lead, np.eye(4), margin=margin).verdict == verdict


def test_where_there_is_a_margin_it_tells_the_better_of_two():
    one = Estimate(np.eye(4), 1.0, 0.5, 1.1, np.eye(4), margin=-0.05)
    other = replace(one, lead=0.9, margin=0.05)
    assert one.beaten and not other.beaten
    assert not replace(one, margin=None).beaten and replace(other, margin=None).beaten


def test_little_in_common_is_never_sure():
    assert Estimate(np.eye(4), 1.0, 0.5, 2.0, np.eye(4), overlap=0.15).verdict == "check"


def test_a_slab_is_judged_by_what_it_shows(scans, turn):
    """24 mm of the moving head: its blocks do not slide into the slab's middle."""
    fixed, moving, truth, points = scans
    height = (moving.grid.points()[..., 2] - moving.grid.center[2]).abs()
    there = moving.mask & (height < 12)
    slab = replace(moving, data=torch.where(there, moving.data, torch.zeros(())), mask=there)
    right = estimate(BlockMatching(fixed, slab), truth, points)
    assert right.error_mm < 4 and right.overlap < 0.3
    wrong = off(truth, points, turn, 0, 8)
    assert estimate(BlockMatching(fixed, slab), wrong, points).error_mm == pytest.approx(8, abs=3)


def test_the_map_is_largest_where_the_pose_is_worst(scans, turn):
    """Turned about a point at the edge of the head, so that the error grows across it."""
    fixed, moving, truth, points = scans
    pivot = points.mean(0) + [0, 60, 0]
    pose = truth @ about(pivot, turn((1, 0, 0), 6))
    found = error_map(fixed, estimate(BlockMatching(fixed, moving), pose, points))
    known = found.values > 0
    where = apply(found.grid.matrix, np.argwhere(known)[:, ::-1])
    true = np.linalg.norm(apply(pose, where) - apply(truth, where), axis=1)
    assert np.abs(found.values[known] - true).mean() < 1.5
    assert np.corrcoef(found.values[known], true)[0, 1] > 0.9
    assert found.worst_mm == found.values.max() > 9
    assert np.linalg.norm(found.worst_point - pivot) > 80
    assert found.report()["worst_point_lps"] == pytest.approx(found.worst_point.tolist())
    inside = np.linalg.norm((where - points.mean(0)) / [58, 72, 64], axis=1)
    assert np.percentile(inside, 99) < 1.6  # nothing is said of the air around the head


def test_the_map_as_an_image_lies_over_the_fixed_one(scans):
    fixed, moving, truth, points = scans
    found = error_map(fixed, estimate(BlockMatching(fixed, moving), truth, points))
    image = found.image()
    assert Grid.of_image(image).matrix == pytest.approx(found.grid.matrix)
    index = image.TransformPhysicalPointToIndex(found.worst_point.tolist())
    assert image[index] == pytest.approx(found.worst_mm)


def test_scans_that_show_nothing_are_no_success(scans):
    fixed, moving, truth, points = scans
    empty = Volume("empty", torch.zeros_like(moving.data), moving.grid, moving.mask)
    found = estimate(BlockMatching(fixed, empty), truth, points)
    assert found.verdict == "failed"
    assert error_map(fixed, found).values.max() >= 0
