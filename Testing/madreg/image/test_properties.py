"""What holds of any lattice, transform, volume and tensor, on drawn examples."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from madreg.image.fitting import fit
from madreg.image.geometry import (
    Grid,
    apply,
    fixed_to_moving,
    flip_world,
    mean_displacement,
    rotation_angle,
    slicer_to_parent,
)
from madreg.image.tensors import TRACE_FREE_BASIS, rotate_tensors
from madreg.image.transform import Transform
from madreg.image.volume import Volume

FEW = settings(max_examples=40, deadline=None, derandomize=True)
SEEDS = st.integers(0, 2**32 - 1)


def millimetres(reach: float) -> st.SearchStrategy[float]:
    return st.floats(-reach, reach, allow_subnormal=False)


@st.composite
def rotations(draw: st.DrawFn) -> np.ndarray:
    """(3, 3), of any angle about any axis."""
    return Rotation.random(random_state=draw(SEEDS)).as_matrix()


@st.composite
def rigid(draw: st.DrawFn) -> np.ndarray:
    """4x4 with a shift of up to half a metre along each axis."""
    matrix = np.eye(4)
    matrix[:3, :3] = draw(rotations())
    matrix[:3, 3] = draw(st.tuples(*[millimetres(500.0)] * 3))
    return matrix


@st.composite
def affine(draw: st.DrawFn) -> np.ndarray:
    """4x4 with scales of 0.5 to 2 along drawn axes, mirrored or not."""
    matrix = draw(rigid())
    scales = np.array(draw(st.tuples(*[st.floats(0.5, 2.0)] * 3)))
    scales[0] *= draw(st.sampled_from([1.0, -1.0]))
    matrix[:3, :3] = matrix[:3, :3] @ np.diag(scales) @ draw(rotations())
    return matrix


@st.composite
def grids(draw: st.DrawFn, largest: int = 9) -> Grid:
    """Oblique, anisotropic, left- or right-handed lattices of 2 to some voxels of 0.3 to 6 mm along each axis."""
    matrix = draw(rigid())
    spacing = np.array(draw(st.tuples(*[st.floats(0.3, 6.0)] * 3)))
    spacing[2] *= draw(st.sampled_from([1.0, -1.0]))
    matrix[:3, :3] = matrix[:3, :3] * spacing
    ni, nj, nk = draw(st.tuples(*[st.integers(2, largest)] * 3))
    return Grid((ni, nj, nk), matrix)


def cloud(seed: int, count: int = 30) -> np.ndarray:
    """(n, 3) points within 10 cm of the origin, mm."""
    return np.random.default_rng(seed).uniform(-100, 100, (count, 3))


def volume_on(grid: Grid, seed: int) -> Volume:
    values = torch.rand(grid.shape, generator=torch.Generator().manual_seed(seed % 2**31))
    return Volume("drawn", values, grid, torch.ones(grid.shape, dtype=torch.bool))


@FEW
@given(grids(), SEEDS)
def test_index_to_world_and_back(grid: Grid, seed: int) -> None:
    index = np.random.default_rng(seed).uniform(-20, 20, (30, 3))
    np.testing.assert_allclose(apply(grid.inverse, apply(grid.matrix, index)), index, atol=1e-8)


@FEW
@given(grids())
def test_a_lattice_survives_itk(grid: Grid) -> None:
    again = Grid.of_image(grid.as_image(np.zeros(grid.shape, np.float32)))
    assert again.size == grid.size
    np.testing.assert_allclose(again.corners, grid.corners, atol=1e-3)


@FEW
@given(grids(), st.floats(0.5, 8.0))
def test_an_isotropic_lattice_keeps_the_middle_and_at_most_half_a_sample_of_the_extent(grid: Grid, mm: float) -> None:
    made = grid.isotropic(mm)
    np.testing.assert_allclose(made.spacing, mm)
    np.testing.assert_allclose(made.center, grid.center, atol=1e-6)
    extents = [one.spacing * (np.array(one.size) - 1) for one in (grid, made)]
    assert (np.abs(extents[1] - np.maximum(extents[0], mm)) <= mm / 2 + 1e-6).all()


@FEW
@given(grids(), st.integers(0, 5))
def test_a_widened_lattice_holds_the_old_samples_in_its_middle(grid: Grid, more: int) -> None:
    wide = grid.widened(more)
    np.testing.assert_allclose(wide.center, grid.center, atol=1e-6)
    np.testing.assert_allclose(apply(wide.matrix, np.full(3, float(more))), grid.matrix[:3, 3], atol=1e-6)


@FEW
@given(grids(), st.floats(-2.0, 2.0))
def test_a_shifted_lattice_lies_so_many_voxels_further(grid: Grid, voxels: float) -> None:
    found = apply(grid.inverse, grid.shifted(voxels).points().numpy().reshape(-1, 3))
    np.testing.assert_allclose(found, apply(grid.inverse, grid.points().numpy().reshape(-1, 3)) + voxels, atol=1e-3)


@FEW
@given(affine(), affine(), SEEDS)
def test_transforms_compose_and_invert(first: np.ndarray, second: np.ndarray, seed: int) -> None:
    one, other, points = Transform(first), Transform(second), cloud(seed)
    np.testing.assert_allclose(other.after(one).apply(points), other.apply(one.apply(points)), atol=1e-6)
    np.testing.assert_allclose(one.inverse().apply(one.apply(points)), points, atol=1e-6)


@FEW
@given(affine(), SEEDS)
def test_a_transform_survives_itk_and_slicer(matrix: np.ndarray, seed: int) -> None:
    transform, points = Transform(matrix), cloud(seed)
    np.testing.assert_allclose(Transform.from_itk(transform.to_itk()).apply(points), transform.apply(points), atol=1e-6)
    np.testing.assert_allclose(fixed_to_moving(slicer_to_parent(matrix)), matrix, atol=1e-6)
    np.testing.assert_allclose(flip_world(flip_world(matrix)), matrix)
    ras = points * [-1, -1, 1]
    np.testing.assert_allclose(apply(transform.matrix_ras, ras), transform.apply(points) * [-1, -1, 1], atol=1e-6)


@FEW
@given(rigid(), rigid(), rigid(), SEEDS)
def test_errors_are_a_distance_that_no_rigid_motion_changes(
    first: np.ndarray, second: np.ndarray, third: np.ndarray, seed: int
) -> None:
    points = cloud(seed)
    between = mean_displacement(first, second, points)
    assert abs(mean_displacement(second, first, points) - between) < 1e-9
    assert between <= mean_displacement(first, third, points) + mean_displacement(third, second, points) + 1e-9
    assert abs(mean_displacement(third @ first, third @ second, points) - between) < 1e-6


@FEW
@given(st.floats(0, 180), rotations(), st.floats(0.5, 2.0))
def test_the_angle_of_a_rotation_is_found_whatever_the_scale(degrees: float, axes: np.ndarray, scale: float) -> None:
    about_z = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    assert abs(rotation_angle(scale * axes @ about_z @ axes.T) - degrees) < 1e-4


@FEW
@given(affine(), SEEDS)
def test_fits_find_the_transform_that_made_the_points(matrix: np.ndarray, seed: int) -> None:
    points = cloud(seed)
    weights = np.random.default_rng(seed).uniform(0.1, 1, len(points))
    np.testing.assert_allclose(
        apply(fit(points, apply(matrix, points), weights, "affine"), points), apply(matrix, points), atol=1e-6
    )
    u, _, vt = np.linalg.svd(matrix[:3, :3])
    motion = matrix.copy()
    motion[:3, :3] = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    np.testing.assert_allclose(fit(points, apply(motion, points), weights), motion, atol=1e-6)


@FEW
@given(grids(), SEEDS)
def test_samples_at_the_voxels_are_the_voxels(grid: Grid, seed: int) -> None:
    volume = volume_on(grid, seed)
    values, inside = volume.sample(grid.points().double())
    inner = (slice(1, -1),) * 3  # on the outermost voxels rounding may fall outside
    assert torch.allclose(values[inner].float(), volume.data[inner], atol=1e-3)
    assert torch.allclose(inside[inner].float(), torch.ones(()), atol=1e-3)


@FEW
@given(grids(), rigid(), SEEDS)
def test_a_volume_that_is_moved_shows_the_same_there(grid: Grid, motion: np.ndarray, seed: int) -> None:
    volume = volume_on(grid, seed)
    moved = Volume("moved", volume.data, Grid(grid.size, motion @ grid.matrix), volume.mask)
    index = np.random.default_rng(seed).uniform(0, 1, (50, 3)) * (np.array(grid.size) - 1)
    here = torch.as_tensor(apply(grid.matrix, index))
    there = torch.as_tensor(apply(motion @ grid.matrix, index))
    assert torch.allclose(volume.sample(here)[0], moved.sample(there)[0], atol=1e-4)


@FEW
@given(grids(), SEEDS)
def test_samples_lie_between_the_least_and_the_greatest_voxel_and_far_off_there_are_none(grid: Grid, seed: int) -> None:
    volume = volume_on(grid, seed)
    index = np.random.default_rng(seed).uniform(0, 1, (50, 3)) * (np.array(grid.size) - 1)
    values, _ = volume.sample(torch.as_tensor(apply(grid.matrix, index)))
    assert volume.data.min() - 1e-4 <= values.min() <= values.max() <= volume.data.max() + 1e-4
    away, inside = volume.sample(torch.as_tensor(apply(grid.matrix, np.array(grid.size) * 3.0 + cloud(seed) % 1)))
    assert not away.any()
    assert not inside.any()


@FEW
@given(rotations(), rotations(), SEEDS)
def test_tensors_rotate_as_matrices_do(first: np.ndarray, second: np.ndarray, seed: int) -> None:
    pair = torch.as_tensor(np.stack([first, second]))
    symmetric = np.random.default_rng(seed).normal(size=(3, 3))
    symmetric = symmetric + symmetric.T
    symmetric -= np.eye(3) * np.trace(symmetric) / 3
    basis = TRACE_FREE_BASIS.double()
    coefficients = torch.einsum("nab,ab->n", basis, torch.as_tensor(symmetric))
    one, other = rotate_tensors(pair)
    rotated = torch.einsum("n,nab->ab", one @ coefficients, basis)
    np.testing.assert_allclose(rotated.numpy(), first @ symmetric @ first.T, atol=1e-5)
    both = rotate_tensors(torch.as_tensor(second @ first)[None])[0]
    np.testing.assert_allclose((other @ one).numpy(), both.numpy(), atol=1e-5)
    np.testing.assert_allclose((one @ one.T).numpy(), np.eye(5), atol=1e-5)
