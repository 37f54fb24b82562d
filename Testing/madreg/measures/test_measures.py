"""NMI, NGF and both on a head and the same head with its contrast inverted: their minimum and its slope."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from madreg import measures
from madreg.descent.parameters import LinearTransform
from madreg.image.geometry import about, apply
from madreg.image.points import sample_points
from madreg.measures import NGF, NMI
from madreg.measures.joint import EDGES, Joint
from madreg.measures.nmi import _ParzenHistogram
from madreg.measures.symmetric import symmetric_joint
from translation import translation_matrix

SAMPLES = 12_000


@pytest.fixture(scope="module")
def truth(grid_of, turn) -> np.ndarray:
    """Where the moving head lies: 4x4, fixed LPS to moving LPS; both lattices are awkward, and far apart."""
    fixed, moving = grid_of("left-handed"), grid_of("oblique")
    matrix = about(fixed.center, turn((2, -1, 1), 55))
    matrix[:3, 3] += moving.center - apply(matrix, fixed.center)
    return matrix


@pytest.fixture(scope="module")
def pair(grid_of, make_volume, head, truth):
    fixed_grid, moving_grid = grid_of("left-handed"), grid_of("oblique")
    pose = np.eye(4)
    pose[:3, 3] = fixed_grid.center
    return make_volume(head.ct, fixed_grid, pose), make_volume(head.mr, moving_grid, truth @ pose)


@pytest.fixture(scope="module", params=[NMI, NGF, Joint, symmetric_joint])
def measure(request, pair):
    return request.param(*pair, samples=SAMPLES)


def values(measure, matrices: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return measure(torch.as_tensor(np.asarray(matrices))).numpy()


@pytest.mark.parametrize("number", range(6))
def test_lowest_at_the_true_pose(measure, pair, truth, number):
    """Along every translation and rotation, in steps of 1 mm, from -40 to 40 mm."""
    steps = np.arange(-40, 41)
    transform = LinearTransform(np.repeat(truth[None], len(steps), 0), pair[0].grid.center, "rigid", 60.0)
    with torch.no_grad():
        transform.parameters[:, number] = torch.as_tensor(steps.astype(float))
    profile = values(measure, transform.numpy())
    assert abs(steps[profile.argmin()]) <= 1
    assert profile.min() < np.delete(profile, range(35, 46)).min() - 0.02 * abs(profile.min())


def test_a_parabola_through_the_minimum_is_right_to_half_a_millimetre(measure, pair, truth):
    for number in range(6):
        steps = np.array([-3.0, 0.0, 3.0])
        transform = LinearTransform(np.repeat(truth[None], 3, 0), pair[0].grid.center, "rigid", 60.0)
        with torch.no_grad():
            transform.parameters[:, number] = torch.as_tensor(steps)
        low, middle, high = values(measure, transform.numpy())
        vertex = 1.5 * (low - high) / (low - 2 * middle + high)
        assert abs(vertex) < 0.5, number


def test_gradient_agrees_with_finite_differences(measure, pair, truth):
    transform = LinearTransform(truth, pair[0].grid.center, "affine", 60.0)
    away = torch.tensor([[4.0, -3.0, 5.0, 3.0, -4.0, 2.0, 2.0, -1.0, 1.5, 1.0, -2.0, 2.0]], dtype=torch.float64)
    transform.parameters = away.clone().requires_grad_()
    measure(transform.matrices()).sum().backward()
    gradient = transform.parameters.grad[0].numpy()
    step, found = 0.05, np.zeros(12)
    for number in range(12):
        both = []
        for sign in (1, -1):
            transform.parameters = away.clone()
            transform.parameters[0, number] += sign * step
            both.append(float(values(measure, transform.numpy())[0]))
        found[number] = (both[0] - both[1]) / (2 * step)
    cosine = gradient @ found / np.linalg.norm(gradient) / np.linalg.norm(found)
    assert cosine > 0.995
    assert np.linalg.norm(gradient) == pytest.approx(np.linalg.norm(found), rel=0.08)


def test_a_batch_is_its_members_one_by_one(measure, pair, truth, turn):
    matrices = np.stack([truth, about(pair[0].grid.center, turn((1, 1, 0), 20)), np.eye(4)])
    singly = [values(measure, one[None])[0] for one in matrices]
    assert values(measure, matrices) == pytest.approx(singly, abs=1e-5)


def test_without_overlap_no_pose_looks_good(measure, truth):
    away = truth.copy()
    away[:3, 3] += 1000.0
    assert np.isfinite(values(measure, away[None])).all()
    assert values(measure, away[None])[0] > values(measure, truth[None])[0] + 0.05


def test_sign_of_the_contrast_does_not_matter_to_ngf(pair, truth):
    fixed, moving = pair
    inverted = type(moving)("inverted", 1 - moving.data, moving.grid, moving.mask)
    first, second = (values(NGF(fixed, one, samples=SAMPLES), truth[None])[0] for one in (moving, inverted))
    assert first == pytest.approx(second, abs=1e-5)


def test_nmi_of_a_scan_with_itself_is_the_highest_there_is(pair):
    fixed, _ = pair
    aligned = measures.distance("nmi", fixed, fixed, np.eye(4))
    assert aligned < -1.3 and aligned < measures.distance("nmi", fixed, fixed, translation_matrix(4.0)) - 0.1


def test_masked_regions_do_not_vote(pair, truth):
    """Garbage outside the moving mask changes nothing."""
    fixed, moving = pair
    half = torch.zeros_like(moving.mask)
    half[: half.shape[0] // 2] = True
    spoilt = torch.where(half, moving.data, torch.rand_like(moving.data))
    clean = torch.where(half, moving.data, torch.zeros_like(moving.data))
    masked = [type(moving)("masked", data, moving.grid, half) for data in (spoilt, clean)]
    for kind in (NMI, NGF):
        first, second = (values(kind(fixed, one, samples=SAMPLES), truth[None])[0] for one in masked)
        assert first == pytest.approx(second, abs=0.02), kind.name


def test_points_are_drawn_from_the_content_off_the_lattice(pair):
    fixed, _ = pair
    points = sample_points(fixed, 500, seed=3)
    assert points.shape == (500, 3)
    assert (points == sample_points(fixed, 500, seed=3)).all() and (points != sample_points(fixed, 500, seed=4)).any()
    distance = (points.numpy() - fixed.grid.center) / [58, 72, 64]
    assert (np.linalg.norm(distance, axis=1) < 2).all()
    index = apply(fixed.grid.inverse, points.numpy())
    assert 0.2 < np.abs(index - np.round(index)).mean() < 0.3


def test_slopes_of_the_histogram_are_those_of_its_counts():
    random = torch.Generator().manual_seed(0)
    position = 1 + torch.rand(20, generator=random, dtype=torch.float64) * 12
    inside = torch.rand(20, generator=random, dtype=torch.float64)
    row = torch.arange(20) % 3
    counts = _ParzenHistogram.apply(position, inside, row, 3, 16)
    assert float(counts.sum()) == pytest.approx(float(inside.sum()))
    assert torch.autograd.gradcheck(
        lambda *given: _ParzenHistogram.apply(*given, row, 3, 16), (position.requires_grad_(), inside.requires_grad_())
    )


def test_measures_together_are_their_sum(pair, truth):
    """They are sampled at once."""
    joint = Joint(*pair, samples=2000)
    at = torch.as_tensor(truth[None])
    apart = joint.nmi(at) + EDGES * joint.ngf(at)
    assert float(joint(at)) == pytest.approx(float(apart), abs=1e-5)


def test_swapping_the_images_keeps_the_values_of_the_symmetric_measure(pair, truth):
    poses = np.stack([truth, truth @ about(pair[0].grid.center, np.eye(3), (3.0, -2.0, 1.0))])
    found = values(symmetric_joint(*pair, samples=SAMPLES), poses)
    swapped = values(symmetric_joint(*pair[::-1], samples=SAMPLES), np.linalg.inv(poses))
    assert found == pytest.approx(swapped, abs=1e-6)
    assert np.abs(values(Joint(*pair, samples=SAMPLES), poses) - found).min() > 1e-4  # the other one does change
