import numpy as np
import pytest

from madreg.image.geometry import (
    FLIP_LPS_RAS,
    Grid,
    about,
    apply,
    fixed_to_moving,
    flip_world,
    itk_transform,
    matrix_of_itk,
    mean_displacement,
    rotation_angle,
    slicer_to_parent,
)
from madreg.image.transform import Transform
from madreg.io.itk_transform import write_transform

LINEAR = np.array([[0.9, -0.45, 0.1], [0.4, 0.95, -0.2], [0.05, 0.25, 1.1]])
AFFINE = about([5.0, -8.0, 30.0], LINEAR, [7.0, -11.0, 19.0])


def random_points(count=20, seed=0):
    return np.random.default_rng(seed).uniform(-100, 100, (count, 3))


def test_every_sample_lies_where_itk_puts_it(grid):
    image = grid.as_image(np.zeros(grid.shape, np.float32))
    points = Grid.of_image(image).points().numpy()
    assert points.shape == (*grid.shape, 3)
    rng = np.random.default_rng(0)
    for _ in range(20):
        index = [int(rng.integers(n)) for n in grid.size]
        expected = image.TransformIndexToPhysicalPoint(index)
        assert np.linalg.norm(points[index[2], index[1], index[0]] - expected) < 1e-3  # mm, float32 points
        assert np.linalg.norm(apply(grid.matrix, np.array(index)) - expected) < 1e-9
        assert np.allclose(apply(grid.inverse, np.array(expected)), index, atol=1e-9)


def test_an_image_keeps_lattice_and_voxels(grid):
    array = np.random.default_rng(1).random(grid.shape).astype(np.float32)
    image = grid.as_image(array)
    again = Grid.of_image(image)
    assert again.size == grid.size and np.allclose(again.matrix, grid.matrix, atol=1e-9)
    index = [3, 5, 7]
    assert image[index] == array[7, 5, 3]


def test_left_handed_lattices_stay_left_handed(odd_grids):
    grid = odd_grids["left-handed"]
    assert np.linalg.det(grid.matrix[:3, :3]) < 0
    assert np.linalg.det(Grid.of_image(grid.as_image(np.zeros(grid.shape))).matrix[:3, :3]) < 0


def test_center_and_corners_are_itk_s(grid):
    image = grid.as_image(np.zeros(grid.shape, np.float32))
    middle = image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in grid.size])
    assert np.linalg.norm(grid.center - middle) < 1e-9
    last = image.TransformIndexToPhysicalPoint([n - 1 for n in grid.size])
    assert np.linalg.norm(grid.corners[7] - last) < 1e-9
    assert np.linalg.norm(grid.corners[0] - image.GetOrigin()) < 1e-9


def test_isotropic_lattice_keeps_center_axes_and_extent(grid):
    isotropic = grid.isotropic(2.0)
    assert np.allclose(isotropic.spacing, 2.0)
    assert np.linalg.norm(isotropic.center - grid.center) < 1e-9
    assert np.allclose(isotropic.matrix[:3, :3] / isotropic.spacing, grid.matrix[:3, :3] / grid.spacing)
    assert np.abs(isotropic.corners - grid.corners).max() < 1.0 * np.sqrt(3)  # at most half a sample along each axis


def test_covering_lattice_spans_the_box():
    low, high = np.array([-10.0, 3.0, 5.0]), np.array([31.0, 44.0, 6.0])
    grid = Grid.covering(low, high, 4.0)
    assert (grid.corners.min(0) <= low + 1e-9).all() and (grid.corners.max(0) >= high - 1e-9).all()
    assert np.allclose(grid.spacing, 4.0) and np.allclose(grid.center, (low + high) / 2)
    assert (grid.corners.max(0) - high < 4.0).all()


def test_about_turns_around_its_centre(rigid_motion):
    center = np.array([10.0, -40.0, 70.0])
    matrix = rigid_motion([1, 0, 0], 90, (1.0, 2.0, 3.0), center)
    assert np.allclose(apply(matrix, center), center + [1, 2, 3])
    assert np.allclose(apply(matrix, center + [0, 5, 0]), center + [1, 2, 8])  # posterior becomes superior


def test_flipping_the_world_negates_x_and_y_of_points():
    points = random_points()
    ras = points * [-1, -1, 1]
    assert np.allclose(apply(flip_world(AFFINE), ras), apply(AFFINE, points) * [-1, -1, 1])
    assert np.allclose(flip_world(flip_world(AFFINE)), AFFINE)


def test_slicer_s_matrix_brings_moving_points_to_fixed_ones():
    fixed = random_points()
    moving_ras = apply(FLIP_LPS_RAS, apply(AFFINE, fixed))
    assert np.allclose(apply(slicer_to_parent(AFFINE), moving_ras), apply(FLIP_LPS_RAS, fixed))
    assert np.allclose(fixed_to_moving(slicer_to_parent(AFFINE)), AFFINE)


def test_itk_maps_points_as_the_matrix_does():
    transform = itk_transform(AFFINE)
    for point in random_points():
        assert np.linalg.norm(np.array(transform.TransformPoint(point.tolist())) - apply(AFFINE, point)) < 1e-9
    assert np.allclose(matrix_of_itk(transform), AFFINE)


def test_matrix_of_an_itk_transform_with_a_center():
    import SimpleITK as sitk

    transform = sitk.Euler3DTransform((10.0, 20.0, -30.0), 0.3, -0.2, 0.5, (4.0, 5.0, 6.0))
    matrix = matrix_of_itk(transform)
    for point in random_points():
        assert np.linalg.norm(np.array(transform.TransformPoint(point.tolist())) - apply(matrix, point)) < 1e-9


def test_mean_displacement_in_millimetres(rigid_motion):
    points = random_points()
    assert mean_displacement(np.eye(4), rigid_motion([0, 0, 1], 0, (3.0, 4.0, 12.0)), points) == pytest.approx(13.0)
    # on a circle of 50 mm about the axis, 60 degrees are a chord of 50 mm
    circle = np.array([[50.0, 0.0, 9.0], [0.0, 50.0, -9.0]])
    assert mean_displacement(np.eye(4), rigid_motion([0, 0, 1], 60), circle) == pytest.approx(50.0)


@pytest.mark.parametrize("degrees", [0.0, 0.5, 33.0, 120.0, 180.0])
def test_rotation_angle(rigid_motion, degrees):
    rotation = rigid_motion([1, -2, 0.5], degrees)[:3, :3]
    assert rotation_angle(rotation) == pytest.approx(degrees, abs=1e-5)
    assert rotation_angle(rotation @ np.diag([1.3, 1.3, 1.3])) == pytest.approx(degrees, abs=1e-5)


@pytest.mark.parametrize("suffix", [".tfm", ".h5"])
def test_the_written_transform_aligns_the_moving_volume_in_slicer(tmp_path, odd_grids, suffix):
    slicer = pytest.importorskip("slicer", reason="needs the PyPI package slicer-core")
    vtk = pytest.importorskip("vtk")
    slicer.mrmlScene = slicer.vtkMRMLScene()
    path = tmp_path / f"fixed_to_moving{suffix}"
    write_transform(Transform(AFFINE), path)

    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformStorageNode")
    storage.SetFileName(str(path))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetAndObserveStorageNodeID(storage.GetID())
    assert storage.ReadData(node)

    # the moving volume, as Slicer would load it, under that transform
    grid = odd_grids["oblique"]
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    ijk_to_ras = vtk.vtkMatrix4x4()
    ijk_to_ras.DeepCopy((FLIP_LPS_RAS @ grid.matrix).ravel())
    volume.SetIJKToRASMatrix(ijk_to_ras)
    volume.SetAndObserveTransformNodeID(node.GetID())

    for index in ((3, 5, 7), (20, 1, 30), (0, 0, 0)):
        moving_ras = np.array(ijk_to_ras.MultiplyPoint((*index, 1.0)))[:3]
        world = [0.0, 0.0, 0.0]
        volume.TransformPointToWorld(moving_ras.tolist(), world)
        fixed_ras = apply(FLIP_LPS_RAS @ np.linalg.inv(AFFINE) @ grid.matrix, np.array(index, float))
        assert np.linalg.norm(np.array(world) - fixed_ras) < 0.01  # mm
        assert np.linalg.norm(np.array(world) - moving_ras) > 10  # it did move
