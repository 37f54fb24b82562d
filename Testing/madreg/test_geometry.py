"""World coordinates, against ITK and against Slicer's own MRML nodes."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from madreg import geometry
from madreg.geometry import Grid, apply


def image_of(grid: Grid) -> sitk.Image:
    return grid.as_image(np.zeros(grid.shape, np.uint8))


def test_indices_lie_where_itk_puts_them(awkward_grid):
    image = image_of(awkward_grid)
    index = np.random.default_rng(0).uniform(-3, 60, (50, 3))
    expected = [image.TransformContinuousIndexToPhysicalPoint(one.tolist()) for one in index]
    assert np.abs(apply(awkward_grid.matrix, index) - expected).max() < 1e-6
    assert np.abs(apply(awkward_grid.inverse, np.array(expected)) - index).max() < 1e-6


def test_thin_voxels_of_an_oblique_left_handed_scan(turn):
    image = sitk.Image(60, 50, 9, sitk.sitkInt16)
    image.SetSpacing((0.5, 0.5, 6.0))
    image.SetOrigin((-80.0, 33.0, 512.0))
    image.SetDirection((np.diag([1.0, 1.0, -1.0]) @ turn((3, 1, 2), 41)).ravel().tolist())
    grid = Grid.of_image(image)
    assert np.linalg.det(grid.matrix) < 0
    assert grid.spacing == pytest.approx([0.5, 0.5, 6.0]) and grid.shape == (9, 50, 60)
    for index in [(0, 0, 0), (59, 0, 8), (13, 49, 4)]:
        assert apply(grid.matrix, np.array(index)) == pytest.approx(image.TransformIndexToPhysicalPoint(index))
    assert grid.center == pytest.approx(image.TransformContinuousIndexToPhysicalPoint((29.5, 24.5, 4.0)))


def test_image_and_back(awkward_grid):
    array = np.random.default_rng(0).normal(size=awkward_grid.shape).astype(np.float32)
    image = awkward_grid.as_image(array)
    again = Grid.of_image(image)
    assert again.size == awkward_grid.size
    assert np.abs(again.corners - awkward_grid.corners).max() < 1e-6
    assert (sitk.GetArrayViewFromImage(image) == array).all()
    assert image.GetPixel(3, 5, 7) == pytest.approx(array[7, 5, 3])


def test_points_are_the_samples_in_array_order(awkward_grid):
    points = awkward_grid.points().numpy()
    assert points.shape == (*awkward_grid.shape, 3)
    for k, j, i in [(0, 0, 0), (2, 5, 11), tuple(n - 1 for n in awkward_grid.shape)]:
        assert np.abs(points[k, j, i] - apply(awkward_grid.matrix, np.array([i, j, k]))).max() < 1e-3


@pytest.mark.parametrize("spacing", [2.0, 3.3, 10.0])
def test_isotropic_lattice_keeps_axes_centre_and_extent(awkward_grid, spacing):
    coarse = awkward_grid.isotropic(spacing)
    assert coarse.spacing == pytest.approx([spacing] * 3)
    assert coarse.center == pytest.approx(awkward_grid.center)
    cosines = (coarse.matrix[:3, :3] * awkward_grid.matrix[:3, :3]).sum(0) / (coarse.spacing * awkward_grid.spacing)
    assert cosines == pytest.approx([1, 1, 1])
    extents = [grid.spacing * (np.array(grid.size) - 1) for grid in (coarse, awkward_grid)]
    assert np.abs(extents[0] - extents[1]).max() <= spacing / 2 + 1e-6


def test_covering_lattice_spans_its_box():
    low, high = np.array([-20.5, 3.0, 100.0]), np.array([31.0, 8.0, 100.5])
    grid = Grid.covering(low, high, 2.0)
    corners = grid.corners
    assert (corners.min(0) <= low + 1e-6).all() and (corners.max(0) >= high - 1e-6).all()
    assert (corners.max(0) - corners.min(0) < high - low + 2 * 2.0).all()
    assert grid.center == pytest.approx((low + high) / 2)


def test_about_turns_around_its_centre(turn):
    center = np.array([10.0, -40.0, 70.0])
    matrix = geometry.about(center, turn((1, 0, 0), 90), np.array([1.0, 2.0, 3.0]))
    assert apply(matrix, center) == pytest.approx(center + [1, 2, 3])
    # 5 mm to posterior becomes 5 mm to superior
    assert apply(matrix, center + [0, 5, 0]) == pytest.approx(center + [1, 2, 8])


@pytest.mark.parametrize("degrees", [0.0, 3.0, 90.0, 179.0])
def test_rotation_angle_ignores_scale(turn, degrees):
    linear = turn((1, -2, 0.5), degrees)
    assert geometry.rotation_angle(linear) == pytest.approx(degrees, abs=1e-5)
    assert geometry.rotation_angle(1.2 * linear) == pytest.approx(degrees, abs=1e-5)


def test_mean_displacement_is_in_mm(turn):
    points = np.array([[10.0, 0, 0], [0, 10.0, 0], [-10.0, 0, 0]])
    shift = np.eye(4)
    shift[:3, 3] = [0, 3, 4]
    assert geometry.mean_displacement(np.eye(4), shift, points) == pytest.approx(5.0)
    half = geometry.about(np.zeros(3), turn((0, 0, 1), 180))
    assert geometry.mean_displacement(np.eye(4), half, points) == pytest.approx(20.0)


def affine(turn) -> np.ndarray:
    """Fixed to moving, LPS: turned, stretched, sheared and far off."""
    linear = turn((1, 2, -1), 70) @ np.array([[1.1, 0.05, 0], [0, 0.9, -0.03], [0, 0, 1.05]])
    return geometry.about(np.array([5.0, 20.0, -8.0]), linear, np.array([60.0, -35.0, 18.0]))


def test_itk_transform_and_back(turn):
    matrix = affine(turn)
    transform = geometry.itk_transform(matrix)
    point = (11.0, -22.0, 33.0)
    assert apply(matrix, np.array(point)) == pytest.approx(transform.TransformPoint(point))
    assert geometry.matrix_of_itk(transform) == pytest.approx(matrix)
    centred = sitk.Euler3DTransform((10.0, 20.0, 30.0), 0.1, -0.2, 0.3, (4.0, 5.0, 6.0))
    assert apply(geometry.matrix_of_itk(centred), np.array(point)) == pytest.approx(centred.TransformPoint(point))


def test_slicer_matrix_is_the_inverse_in_ras(turn):
    matrix = affine(turn)
    to_parent = geometry.slicer_to_parent(matrix)
    assert geometry.fixed_to_moving(to_parent) == pytest.approx(matrix)
    fixed = np.array([12.0, -7.0, 31.0])
    moving_ras = apply(matrix, fixed) * [-1, -1, 1]
    assert apply(to_parent, moving_ras) == pytest.approx(fixed * [-1, -1, 1])


@pytest.mark.parametrize("ending", ["tfm", "h5"])
def test_slicer_puts_the_moving_volume_in_place(turn, tmp_path, ending):
    slicer = pytest.importorskip("slicer", reason="needs the PyPI package slicer-core")
    import vtk

    from madreg.output import write_transform

    slicer.mrmlScene = scene = slicer.vtkMRMLScene()
    matrix = affine(turn)
    path = tmp_path / f"found.{ending}"
    write_transform(matrix, path)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    storage = scene.AddNewNodeByClass("vtkMRMLTransformStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(transform)

    # a landmark at a voxel of an oblique moving volume whose fixed position is known
    grid = Grid((20, 30, 10), geometry.about(np.zeros(3), turn((0, 1, 1), 30) @ np.diag([2.0, 2.0, -5.0]),
                                             np.array([40.0, -90.0, 7.0])))
    index = np.array([4, 25, 3])
    fixed_lps = apply(np.linalg.inv(matrix), apply(grid.matrix, index))
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    voxels = vtk.vtkImageData()
    voxels.SetDimensions(grid.size)
    voxels.AllocateScalars(vtk.VTK_SHORT, 1)
    volume.SetAndObserveImageData(voxels)
    ijk_to_ras = vtk.vtkMatrix4x4()
    ijk_to_ras.DeepCopy((geometry.FLIP_LPS_RAS @ grid.matrix).ravel())
    volume.SetIJKToRASMatrix(ijk_to_ras)
    volume.SetAndObserveTransformNodeID(transform.GetID())
    to_world = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(volume.GetParentTransformNode(), None, to_world)
    landmark = to_world.TransformPoint(ijk_to_ras.MultiplyPoint([*index.astype(float), 1.0])[:3])
    assert np.linalg.norm(np.array(landmark) - fixed_lps * [-1, -1, 1]) < 0.01
