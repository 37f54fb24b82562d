"""The agreement of structure tensors: the score of the correlation at any pose, and where its gradient leads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from madreg.descent.descents import Descents
from madreg.descent.objective import Forward
from madreg.image.geometry import about, apply, mean_displacement
from madreg.pose.correlation import Correlation
from madreg.pose.rotations import super_fibonacci
from madreg.pose.search import DESCENT, FINE, POINTS
from madreg.pose.tensor_agreement import TensorAgreement
from translation import translation_matrix


@pytest.fixture(scope="module")
def scans(grid_of, make_volume, head, turn, spots):
    """A CT and an MR on awkward lattices, the true pose, and points over the head."""
    fixed_grid, moving_grid = grid_of("oblique"), grid_of("left-handed")
    placed, pose = np.eye(4), about(np.zeros(3), turn((1, -2, 0.5), 120))
    placed[:3, 3], pose[:3, 3] = fixed_grid.center, moving_grid.center + [6.0, -9.0, 4.0]
    fixed, moving = make_volume(head.ct, fixed_grid, placed), make_volume(head.mr, moving_grid, pose)
    return fixed, moving, pose @ np.linalg.inv(placed), apply(placed, spots)


def scores(measure: TensorAgreement, poses: np.ndarray) -> np.ndarray:
    """(n,) of poses (n, 4, 4)."""
    return -measure(torch.as_tensor(poses, dtype=torch.float32)).double().numpy()


@pytest.mark.parametrize("spacing", [pytest.param(6.0, marks=pytest.mark.slow), 10.0])
def test_it_is_the_score_of_the_correlation(scans, spacing):
    """But for the sampling: at right and wrong poses, some with half of the head in common; the correlation takes the
    nearest voxel, and few of the points lie on edges that only the moving image has."""
    fixed, moving, truth, _points = scans
    rotations = np.concatenate([truth[None, :3, :3], super_fibonacci(4)])
    found = Correlation(fixed, moving, spacing, 0.0).best(rotations, lambda share: None, translations=3)
    expected = np.array([one.score for one in found])
    poses = np.array([one.matrix for one in found])
    measures = [TensorAgreement(fixed, moving, spacing, 5000, seed) for seed in range(5)]
    measured = np.median([scores(measure, poses) for measure in measures], axis=0)
    assert np.ptp(expected) > 0.5 and measured == pytest.approx(expected, abs=0.05)


def test_no_contrast_and_no_scale_of_the_intensities_changes_it(scans, make_volume, head):
    fixed, moving, truth, _points = scans
    again = TensorAgreement(fixed, fixed, FINE, POINTS)
    assert scores(again, np.eye(4)[None])[0] == pytest.approx(1.0, abs=0.02)
    assert scores(TensorAgreement(fixed, moving, FINE, POINTS), truth[None])[0] > 0.9


def test_a_pose_without_overlap_scores_nothing(scans):
    fixed, moving, truth, _points = scans
    far = translation_matrix(1000.0, 1000.0, 1000.0) @ truth
    measure = TensorAgreement(fixed, moving, FINE, POINTS)
    assert scores(measure, far[None])[0] == 0.0


def test_its_gradient_leads_to_the_truth_from_15_degrees_and_15_mm(scans, turn):
    """With the settings of the search, in every direction."""
    fixed, moving, truth, points = scans
    measure = TensorAgreement(fixed, moving, FINE, POINTS)
    rng = np.random.default_rng(0)
    starts = []
    for _ in range(8):
        shift = rng.normal(size=3)
        starts.append(truth @ about(points.mean(0), turn(rng.normal(size=3), 15), 15 * shift / np.linalg.norm(shift)))
    assert min(mean_displacement(start, truth, points) for start in starts) > 15
    found, values = Forward(measure, measure.points.double().numpy()).descend(np.array(starts), "rigid", DESCENT)
    assert max(mean_displacement(pose, truth, points) for pose in found) < 3
    assert (-values > scores(measure, np.array(starts)) + 0.05).all()


def test_descents_that_stay_behind_change_nothing_for_the_others(scans):
    """Those that are kept end where they end without the rest but for rounding, and less is evaluated."""
    fixed, moving, truth, _points = scans
    measure = TensorAgreement(fixed, moving, FINE, POINTS)
    points, evaluated = measure.points.double().numpy(), []

    def counted(matrices: torch.Tensor) -> torch.Tensor:
        evaluated.append(len(matrices))
        return measure(matrices)

    starts = truth @ np.stack([np.eye(4), translation_matrix(3.0, -2.0, 4.0), translation_matrix(90.0)])
    expected, values = Forward(measure, points).descend(starts, "rigid", DESCENT)
    descents = Descents(counted, points, starts, DESCENT)
    descents.descend(9)
    descents.keep(descents.values <= 0.7 * descents.values.min())
    descents.descend(DESCENT.steps)
    poses, kept = descents.result()
    assert len(poses) == 2 and sum(evaluated) == 9 * 3 + 11 * 2 + 2
    assert max(mean_displacement(*both, points) for both in zip(poses, expected[:2], strict=True)) < 0.1
    assert kept == pytest.approx(values[:2], abs=1e-4)
    descents.keep(np.zeros(2, bool))
    descents.descend(DESCENT.steps)
    assert len(descents.result()[0]) == 0
