"""The estimated error against the true one, in millimetres, from matches whose truth is known."""

from types import SimpleNamespace

import numpy as np
import pytest

from madreg.estimate import estimate
from madreg.geometry import about, apply, mean_displacement

TRUTH = about(np.zeros(3), np.diag([-1.0, -1.0, 1.0]), np.array([20.0, -30.0, 5.0]))


def opinion(matrix, doubt_mm, wrong=0.0, count=400):
    """What a network would say of a pose: it finds every point, but for noise and a share of wrong matches."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-70, 70, (count, 3))
    targets = apply(TRUTH, points) + rng.normal(0, doubt_mm / 2, points.shape)
    lost = rng.random(count) < wrong
    targets[lost] += rng.uniform(-60, 60, (int(lost.sum()), 3))
    predicted = np.linalg.norm(apply(matrix, points) - targets, axis=1) + doubt_mm
    seen = np.ones(count, bool)
    return points, SimpleNamespace(encoded=True, map=lambda m: (predicted, seen),
                                   correspondences=lambda m: (points, targets, np.full(count, 8.0)))


@pytest.mark.parametrize("shift_mm", [0.0, 3.0])
@pytest.mark.parametrize("wrong", [0.0, 0.3])
def test_doubt_is_not_taken_for_error(shift_mm, wrong):
    matrix = about(np.zeros(3), np.eye(3), np.array([shift_mm, 0, 0])) @ TRUTH
    points, mad = opinion(matrix, doubt_mm=5.0, wrong=wrong)
    found = estimate(mad, matrix)
    assert found.error_mm == pytest.approx(mean_displacement(matrix, TRUTH, points), abs=1.0)
    assert found.mean_prediction_mm > shift_mm + 5


def test_far_off_the_mean_prediction_counts_too():
    matrix = about(np.zeros(3), np.eye(3), np.array([30.0, 0, 0])) @ TRUTH
    _, mad = opinion(matrix, doubt_mm=5.0)
    assert estimate(mad, matrix).error_mm == pytest.approx(estimate(mad, matrix).mean_prediction_mm)


def test_without_agreement_the_mean_prediction_stands():
    _, mad = opinion(TRUTH, doubt_mm=5.0, wrong=1.0)
    found = estimate(mad, TRUTH)
    assert found.disagreement_mm > 10 and found.error_mm == found.mean_prediction_mm


def test_without_matches_the_mean_prediction_stands():
    _, mad = opinion(TRUTH, doubt_mm=5.0, count=5)
    found = estimate(mad, TRUTH)
    assert found.disagreement_mm is None and found.error_mm == found.mean_prediction_mm
