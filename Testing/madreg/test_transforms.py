"""Parametrised transforms: where they start, what a step is worth in mm, and their gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from madreg.geometry import about, apply
from madreg.transforms import DEGREES_OF_FREEDOM, LinearTransform

CENTER = np.array([15.0, -40.0, 230.0])
RADIUS = 70.0


@pytest.fixture
def starts(turn) -> np.ndarray:
    return np.stack([np.eye(4), about(CENTER, 1.1 * turn((1, 2, 3), 130), np.array([80.0, -20.0, 5.0]))])


@pytest.mark.parametrize("kind", DEGREES_OF_FREEDOM)
def test_zero_parameters_are_the_start(starts, kind):
    transform = LinearTransform(starts, CENTER, kind, RADIUS)
    assert transform.parameters.shape == (2, DEGREES_OF_FREEDOM[kind])
    assert np.abs(transform.numpy() - starts).max() < 1e-9
    assert LinearTransform(starts[1], CENTER, kind, RADIUS).numpy() == pytest.approx(starts[1:])


@pytest.mark.parametrize("kind", DEGREES_OF_FREEDOM)
def test_a_step_of_one_moves_points_at_the_radius_by_a_millimetre(starts, kind):
    sphere = np.random.default_rng(0).normal(size=(500, 3))
    points = CENTER + RADIUS * sphere / np.linalg.norm(sphere, axis=1, keepdims=True)
    for number in range(DEGREES_OF_FREEDOM[kind]):
        transform = LinearTransform(starts[0], CENTER, kind, RADIUS)
        with torch.no_grad():
            transform.parameters[0, number] = 1.0
        moved = np.linalg.norm(apply(transform.numpy()[0], points) - points, axis=1)
        assert 0.45 < moved.mean() < 1.05 and moved.max() < 1.05, number


def test_rigid_stays_rigid_and_similarity_scales_evenly(starts):
    for kind in ("rigid", "similarity"):
        transform = LinearTransform(starts[0], CENTER, kind, RADIUS)
        with torch.no_grad():
            transform.parameters += 40.0
        linear = transform.numpy()[0, :3, :3]
        scale = np.linalg.det(linear) ** (1 / 3)
        assert np.abs(linear.T @ linear - scale**2 * np.eye(3)).max() < 1e-9
        assert scale == pytest.approx(np.exp(40 / RADIUS) if kind == "similarity" else 1.0)


def test_translation_is_along_the_world_and_rotation_about_the_centre(starts):
    transform = LinearTransform(starts[1], CENTER, "rigid", RADIUS)
    with torch.no_grad():
        transform.parameters[0, 3] = 30.0
    assert apply(transform.numpy()[0], CENTER) == pytest.approx(apply(starts[1], CENTER))
    with torch.no_grad():
        transform.parameters[0, :3] = torch.tensor([1.0, -2.0, 3.0])
    assert apply(transform.numpy()[0], CENTER) == pytest.approx(apply(starts[1], CENTER) + [1, -2, 3])


def test_an_affine_reaches_any_linear_map(starts, turn):
    """Twelve parameters are enough: descent on the point distance recovers a stretched and sheared map to 0.01 mm."""
    wanted = about(CENTER, turn((1, 0, 2), 12) @ np.array([[1.1, 0.08, 0], [0, 0.92, 0], [0.05, 0, 1.04]]),
                   np.array([7.0, 3.0, -5.0]))
    points = torch.as_tensor(CENTER + np.random.default_rng(0).uniform(-80, 80, (100, 3)))
    target = torch.as_tensor(apply(wanted, points.numpy()))
    transform = LinearTransform(np.eye(4), CENTER, "affine", RADIUS)
    optimiser = torch.optim.LBFGS([transform.parameters], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        matrix = transform.matrices()[0]
        value = (points @ matrix[:3, :3].T + matrix[:3, 3] - target).square().sum(-1).mean()
        value.backward()
        return value

    optimiser.step(loss)
    assert np.linalg.norm(apply(transform.numpy()[0], points.numpy()) - target.numpy(), axis=1).max() < 0.01


@pytest.mark.parametrize("kind", DEGREES_OF_FREEDOM)
def test_gradient_and_independence_of_a_batch(starts, kind):
    transform = LinearTransform(starts, CENTER, kind, RADIUS)
    point = torch.tensor([40.0, 10.0, 250.0, 1.0], dtype=torch.float64)
    weights = torch.tensor([1.0, -2.0, 0.5, 0.0], dtype=torch.float64)

    def value(parameters: torch.Tensor) -> torch.Tensor:
        transform.parameters = parameters
        return (transform.matrices() @ point) @ weights

    parameters = torch.full_like(transform.parameters, 0.7).requires_grad_()
    assert torch.autograd.gradcheck(value, parameters.detach().clone().requires_grad_())
    value(parameters)[0].backward()
    assert (parameters.grad[0] != 0).all() and (parameters.grad[1] == 0).all()


def test_unknown_kinds_are_refused(starts):
    with pytest.raises(KeyError):
        LinearTransform(starts, CENTER, "spline", RADIUS)
