import numpy as np
import pytest
import torch

from madreg.descent.parameters import DEGREES_OF_FREEDOM, LinearTransform
from madreg.image.geometry import about, apply, rotation_angle

KINDS = list(DEGREES_OF_FREEDOM)
CENTER = np.array([10.0, -20.0, 35.0])


def sphere(radius, count=400):
    points = np.random.default_rng(0).normal(size=(count, 3))
    return CENTER + radius * points / np.linalg.norm(points, axis=1, keepdims=True)


def start(rigid_motion):
    return rigid_motion([1, 2, 3], 40.0, (30.0, -5.0, 12.0), (0.0, 10.0, 0.0))


@pytest.mark.parametrize("kind", KINDS)
def test_begins_at_the_start(rigid_motion, kind):
    matrix = start(rigid_motion)
    transform = LinearTransform(matrix, CENTER, kind)
    assert np.allclose(transform.numpy()[0], matrix, atol=1e-12)
    assert transform.parameters.shape == (1, DEGREES_OF_FREEDOM[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_of_one_moves_points_by_about_a_millimetre(rigid_motion, kind):
    radius = 70.0
    points = sphere(radius)
    for number in range(DEGREES_OF_FREEDOM[kind]):
        transform = LinearTransform(start(rigid_motion), CENTER, kind, radius)
        before = apply(transform.numpy()[0], points)
        with torch.no_grad():
            transform.parameters[0, number] = 1.0
        moved = np.linalg.norm(apply(transform.numpy()[0], points) - before, axis=1)
        # rotations leave the poles, scales and shears the planes across them: so the largest step is the measure
        assert 0.9 < moved.max() < 1.1 and moved.mean() > 0.4


@pytest.mark.parametrize("kind", KINDS)
def test_rotation_and_scale_leave_the_center_in_place(rigid_motion, kind):
    transform = LinearTransform(start(rigid_motion), CENTER, kind)
    before = apply(transform.numpy()[0], CENTER)
    with torch.no_grad():
        transform.parameters[0, 3:] = 20.0
    assert np.linalg.norm(apply(transform.numpy()[0], CENTER) - before) < 1e-9
    with torch.no_grad():
        transform.parameters[0, :3] = torch.tensor([3.0, -4.0, 12.0], dtype=torch.float64)
    assert np.allclose(apply(transform.numpy()[0], CENTER) - before, [3.0, -4.0, 12.0])


def test_kinds_hold_what_their_names_say(rigid_motion):
    rng = np.random.default_rng(3)
    for kind in KINDS:
        transform = LinearTransform(np.eye(4), CENTER, kind)
        with torch.no_grad():
            transform.parameters[:] = torch.as_tensor(rng.normal(0, 20, transform.parameters.shape))
        linear = transform.numpy()[0, :3, :3]
        scales = np.linalg.svd(linear, compute_uv=False)
        assert np.linalg.det(linear) > 0 and rotation_angle(linear) > 1
        if kind == "rigid":
            assert np.allclose(scales, 1)
        elif kind == "similarity":
            assert np.allclose(scales, scales[0]) and abs(scales[0] - 1) > 0.01
        else:
            assert np.ptp(scales) > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_finite_differences(rigid_motion, kind):
    points = torch.as_tensor(sphere(50.0, 10))

    def loss(parameters):
        transform.parameters = parameters
        matrix = transform.matrices()[0]
        return ((points @ matrix[:3, :3].T + matrix[:3, 3] - 5.0) ** 2).sum()

    transform = LinearTransform(start(rigid_motion), CENTER, kind)
    values = torch.full((1, DEGREES_OF_FREEDOM[kind]), 3.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, (values,), rtol=1e-4)


def test_an_affine_reaches_any_linear_map(rigid_motion):
    """Twelve parameters are enough: descent on the point distance recovers a stretched and sheared map to 0.01 mm."""
    shear = np.array([[1.1, 0.08, 0], [0, 0.92, 0], [0.05, 0, 1.04]])
    wanted = about(CENTER, rigid_motion([1, 0, 2], 12)[:3, :3] @ shear, np.array([7.0, 3.0, -5.0]))
    points = torch.as_tensor(sphere(70.0, 100))
    target = torch.as_tensor(apply(wanted, points.numpy()))
    transform = LinearTransform(np.eye(4), CENTER, "affine")
    optimizer = torch.optim.LBFGS([transform.parameters], max_iter=40, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        matrix = transform.matrices()[0]
        value = (points @ matrix[:3, :3].T + matrix[:3, 3] - target).square().sum(-1).mean()
        value.backward()
        return value

    optimizer.step(loss)
    assert np.linalg.norm(apply(transform.numpy()[0], points.numpy()) - target.numpy(), axis=1).max() < 0.01


def test_members_of_a_batch_do_not_mix(rigid_motion):
    starts = np.stack([np.eye(4), start(rigid_motion), rigid_motion([0, 1, 0], 170.0)])
    transform = LinearTransform(starts, CENTER, "affine")
    assert np.allclose(transform.numpy(), starts, atol=1e-12)
    transform.matrices()[1].sum().backward()
    gradient = transform.parameters.grad.abs().sum(1)
    assert gradient[0] == 0 and gradient[1] > 0 and gradient[2] == 0


def test_unknown_kinds_are_refused():
    with pytest.raises(KeyError):
        LinearTransform(np.eye(4), CENTER, "elastic")
