"""Matched points to a pose: fits against known transforms in mm, and the shipped network converging from far off."""

import numpy as np
import pytest

from madreg import resources
from madreg.errors import InputError
from madreg.image.fitting import fit, robust_fit
from madreg.image.geometry import about, apply, mean_displacement
from madreg.measures.mad import MAD
from madreg.network import weights
from madreg.pose.matches import align

LINEAR = {
    "rigid": np.eye(3),
    "similarity": np.eye(3) * 1.2,
    "affine": np.array([[1.1, 0.05, 0.0], [0.0, 0.9, 0.1], [0.0, 0.0, 1.05]]),
}


@pytest.fixture
def points():
    return np.random.default_rng(0).uniform(-80, 80, (200, 3))


@pytest.mark.parametrize("kind", LINEAR)
def test_a_fit_finds_the_transform_that_made_the_targets(points, turn, kind):
    truth = about(np.array([10.0, 20, -5]), turn((1, 2, 3), 70) @ LINEAR[kind], np.array([30.0, -20, 12]))
    found = fit(points, apply(truth, points), np.ones(200), kind)
    assert mean_displacement(found, truth, points) < 1e-6


def test_a_mirrored_cloud_is_still_rotated_and_not_mirrored(points):
    found = fit(points, points * [-1, 1, 1], np.ones(200))
    assert np.linalg.det(found[:3, :3]) == pytest.approx(1)


def test_weights_decide_and_outliers_do_not(points, turn):
    truth = about(np.zeros(3), turn((0, 1, 1), 25), np.array([5.0, 0, 9]))
    rng = np.random.default_rng(1)
    targets = apply(truth, points) + rng.normal(0, 0.5, points.shape)
    targets[:70] += rng.uniform(20, 60, (70, 3))
    weight = np.ones(200)
    assert mean_displacement(fit(points, targets, weight), truth, points) > 5  # outliers do harm
    weight[:70] = 0
    assert mean_displacement(fit(points, targets, weight), truth, points) < 0.5
    assert mean_displacement(robust_fit(points, targets, np.full(200, 5.0)), truth, points) < 0.5


@pytest.mark.slow
def test_the_shipped_network_converges_from_far_off(turn):
    from madreg.io.reading import read_volume

    try:
        network = weights.load()[0]
    except InputError:
        pytest.skip("no bundled weights")
    volume, _ = read_volume(resources.path("Demo", "T1w.nii.gz"))
    measure = MAD(volume, volume, network)
    center = measure.points.double().numpy().mean(0)
    start = about(center, turn((1, -1, 2), 25), np.array([20.0, -15, 18]))
    points = measure.points.double().numpy()
    assert mean_displacement(start, np.eye(4), points) > 30
    shares = []
    found, predicted = align(measure, start, progress=lambda share, matrix: shares.append(share))
    assert mean_displacement(found, np.eye(4), points) < 4
    assert predicted < 6 and shares[-1] == 1.0 and shares == sorted(shares)
