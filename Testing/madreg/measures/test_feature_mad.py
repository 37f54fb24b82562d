"""MAD from features on a head and the same head with its contrast inverted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from madreg.descent.adam import adam
from madreg.descent.parameters import LinearTransform
from madreg.image.geometry import Grid, about, mean_displacement
from madreg.image.volume import Volume
from madreg.measures import distance
from madreg.measures.feature_mad import FeatureMAD, finest_between, is_rotated
from madreg.measures.scan_features import EncodedScan, lattice_axes
from madreg.measures.symmetric import symmetric_finest_features
from madreg.network import weights

SAMPLES = 2000


@pytest.fixture(scope="module")
def pair(grid_of, make_volume, head) -> tuple[Volume, Volume]:
    """CT on a straight lattice, MR on an oblique one, both in one place."""
    pose = np.eye(4)
    pose[:3, 3] = grid_of("oblique").center
    return make_volume(head.ct, grid_of("straight")), make_volume(head.mr, grid_of("oblique"), pose)


@pytest.fixture(scope="module")
def truth(grid_of) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = grid_of("oblique").center
    return matrix


@pytest.fixture(scope="module")
def measure(pair, truth) -> FeatureMAD:
    return FeatureMAD(*pair, samples=SAMPLES).seen_from(truth)


def displaced(truth: np.ndarray, degrees: float, millimeters: float, turn) -> np.ndarray:
    shift = np.array([2.0, -1.0, 2.0]) / 3 * millimeters
    return truth @ about(np.zeros(3), turn((1, 2, -1), degrees), shift)


@pytest.mark.slow
@pytest.mark.parametrize(("degrees", "millimeters"), [(10, 10), (-25, 20)])
def test_descent_finds_the_true_pose(measure, truth, spots, turn, degrees, millimeters):
    start = displaced(truth, degrees, millimeters, turn)
    assert mean_displacement(start, truth, spots) > 10
    transform = LinearTransform.over(spots, start)
    found = adam(measure, transform, steps=60, first_step=3.0, last_step=0.05)[0][0]
    assert mean_displacement(found, truth, spots) < 1.0


def test_grows_with_the_displacement(measure, truth, turn):
    poses = np.stack([displaced(truth, 0, mm, turn) for mm in (0, 3, 9, 27)])
    with torch.no_grad():
        values = measure(torch.as_tensor(poses)).numpy()
    assert (np.diff(values) > 0).all()


def test_values_do_not_depend_on_the_batch_and_gradients_agree_with_differences(measure, truth, turn):
    transform = LinearTransform(np.stack([displaced(truth, 5, 6, turn), truth]), np.zeros(3))
    values = measure(transform.matrices())
    assert float(values[1].detach()) == pytest.approx(float(measure(torch.tensor(truth)[None])[0]), abs=1e-5)
    values.sum().backward()
    gradient = transform.parameters.grad[0].numpy()
    found = []
    for number in range(6):
        both = []
        for sign in (1, -1):
            with torch.no_grad():
                transform.parameters[0, number] = sign * 0.1
                both.append(float(measure(transform.matrices())[0]))
                transform.parameters[0, number] = 0.0
        found.append((both[0] - both[1]) / 0.2)
    assert np.linalg.norm(gradient - found) < 0.1 * np.linalg.norm(found)


def test_swapping_the_images_keeps_the_values_of_symmetric_features(measure, truth, turn):
    poses = np.stack([truth, displaced(truth, 3, 2, turn)])
    with torch.no_grad():
        found = symmetric_finest_features(measure)(torch.as_tensor(poses))
        swapped = symmetric_finest_features(measure.swapped())(torch.as_tensor(np.linalg.inv(poses)))
        one_way = measure.of_level(0)(torch.as_tensor(poses))
    np.testing.assert_allclose(found, swapped, atol=1e-6)
    assert float(found[0]) < float(found[1]) - 0.02 and (found - one_way).abs().min() > 1e-4


def test_the_second_lattice_lies_half_a_voxel_away(measure, truth, turn):
    between = finest_between(measure)
    for one, other in ((measure.fixed, between.fixed), (measure.moving, between.moving)):
        apart = (other.levels[0].inverse - one.levels[0].inverse).numpy()
        np.testing.assert_allclose(apart[:3], [[0, 0, 0, -0.5]] * 3, atol=1e-4)
    poses = torch.as_tensor(np.stack([truth, displaced(truth, 0, 6, turn)]))
    with torch.no_grad():
        there, here = between(poses), measure.of_level(0)(poses)
    assert set(between.level_weights) == set(between.moving.levels) == {0}
    np.testing.assert_allclose(there, here, atol=0.03)
    assert (there - here).abs().min() > 1e-5 and there[0] < there[1] - 0.1


def test_lost_overlap_costs(measure, truth, turn):
    poses = torch.as_tensor(np.stack([truth, displaced(truth, 0, 1000, turn)]))
    with torch.no_grad():
        values = measure(poses)
    assert float(values[1]) == pytest.approx(1.0) and float(values[0]) < 0.9


@pytest.mark.slow
def test_a_cut_field_of_view_does_not_move_the_minimum(pair, truth, spots, turn):
    """Both scans lose a different side; features inside stay the same."""
    cut = []
    for volume, keep in zip(pair, (slice(0, 40), slice(8, None)), strict=True):
        data = volume.data[keep]
        matrix = volume.grid.matrix.copy()
        matrix[:3, 3] += matrix[:3, 2] * (keep.start or 0)
        grid = Grid((volume.grid.size[0], volume.grid.size[1], len(data)), matrix)
        cut.append(Volume(volume.name, data, grid, volume.mask[keep]))
    measure = FeatureMAD(*cut, samples=SAMPLES).seen_from(truth)
    transform = LinearTransform.over(spots, displaced(truth, 4, 4, turn))
    found = adam(measure, transform, steps=40, first_step=1.0, last_step=0.05)[0][0]
    assert mean_displacement(found, truth, spots) < 1.5


@pytest.mark.slow
def test_the_moving_scan_is_encoded_as_it_is_seen(pair, truth, turn):
    """A head that is rotated in its own lattice: its features are those of the pose that is given."""
    blind = FeatureMAD(*pair, samples=SAMPLES)
    assert is_rotated(blind, truth)
    seen = blind.seen_from(truth)
    assert not is_rotated(seen, truth)
    with torch.no_grad():
        here = torch.tensor(truth)[None]
        assert float(seen(here)[0]) < float(blind(here)[0])


@pytest.mark.slow
def test_a_part_of_the_moving_scan_is_enough(pair, truth, turn):
    """Of a moving scan that shows a third of the head: the same value near the true pose, from fewer points."""
    volume = pair[1]
    grid = Grid((volume.grid.size[0], volume.grid.size[1], volume.grid.size[2] // 3), volume.grid.matrix)
    third = Volume("part", volume.data[: grid.size[2]], grid, volume.mask[: grid.size[2]])
    whole = FeatureMAD(pair[0], third, samples=SAMPLES).seen_from(truth)
    part = whole.seen_from(truth, part=True)
    assert len(part.points) < 0.8 * len(whole.points) and part.moving.levels[0].features.numel() > 0
    with torch.no_grad():
        for mm in (0.0, 4.0):
            here = torch.as_tensor(displaced(truth, 0, mm, turn)[None])
            assert float(part.of_level(0)(here)[0]) == pytest.approx(float(whole.of_level(0)(here)[0]), abs=0.01)
        assert float(part(torch.as_tensor(displaced(truth, 0, 1000, turn)[None]))[0]) == pytest.approx(1.0)


def test_the_finest_level_alone_falls_faster_around_the_true_pose(measure, truth, turn):
    poses = torch.as_tensor(np.stack([displaced(truth, 0, mm, turn) for mm in (0, 6)]))
    with torch.no_grad():
        finest, coarse = (1 - one(poses) for one in (measure.of_level(0), measure.coarse()))
    assert float(finest[1] / finest[0]) < 0.7 * float(coarse[1] / coarse[0])


def test_axes_are_put_in_the_nearest_order(pair):
    swapped = np.eye(3)[:, [2, 0, 1]] * [1, -1, 1]
    np.testing.assert_allclose(lattice_axes(pair[0], swapped), swapped, atol=1e-6)
    np.testing.assert_allclose(lattice_axes(pair[1], pair[1].grid.axes), pair[1].grid.axes, atol=1e-6)


@pytest.mark.slow
def test_features_of_a_scan_follow_its_lattice(pair):
    """The same scan with its axes stored in another order has the same features at every point."""
    volume = pair[0]
    grid = volume.grid
    matrix = grid.matrix[:, [2, 1, 0, 3]]
    other = Volume("scan", volume.data.permute(2, 1, 0).contiguous(), Grid(grid.size[::-1], matrix), volume.mask)
    network = weights.load_features()[0]
    points = torch.tensor([[10.0, -20.0, 5.0], [0.0, 30.0, 20.0]])
    one, two = (EncodedScan(v, network, lattice_axes(v, np.eye(3)), range(3)).levels for v in (volume, other))
    assert set(one) == {0, 1, 2}
    for number, level in one.items():
        torch.testing.assert_close(level.at(points), two[number].at(points), atol=1e-3, rtol=0)


def test_features_of_one_level_alone_are_nearly_the_same(pair):
    """They are made of the volume at the resolution of that level, which is smoothed in another way."""
    volume = pair[0]
    network, axes = weights.load_features()[0], lattice_axes(volume, np.eye(3))
    points = volume.grid.points()[volume.foreground][::50]
    every, alone = (EncodedScan(volume, network, axes, numbers).levels for numbers in (range(3), [1]))
    assert set(alone) == {1}
    cosine = (every[1].at(points) * alone[1].at(points)).sum(0)
    assert float(cosine.mean()) > 0.9
    unlike = (every[1].at(points) * alone[1].at(points.flip(0))).sum(0)
    assert float(unlike.mean()) < 0.7


@pytest.mark.slow
def test_is_the_measure_called_mad(pair, truth):
    assert distance("mad", *pair, truth) < distance("mad", *pair, np.eye(4))
