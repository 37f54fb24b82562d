"""Volumes on awkward lattices: sampled, weighed and resampled where ITK says the voxels lie."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from madreg.geometry import Grid
from madreg.volume import Volume


def blob(center: np.ndarray, width: float = 12.0):
    return lambda points: np.exp(-np.square((points - center) / width).sum(-1) / 2)


def test_samples_are_those_of_itk(awkward_grid, make_volume, head):
    volume = make_volume(lambda points: head.ct(points - awkward_grid.center), awkward_grid)
    image = awkward_grid.as_image(volume.data.numpy())
    points = awkward_grid.center + np.random.default_rng(0).uniform(-50, 50, (400, 3))
    itk = [image.EvaluateAtPhysicalPoint(point.tolist(), sitk.sitkLinear) for point in points]
    values, inside = volume.sample(torch.as_tensor(points, dtype=torch.float32))
    assert np.abs(values.numpy() - itk).max() < 2e-3 and np.std(itk) > 0.1
    assert (inside > 0.999).all()


def test_outside_and_masked_samples_hold_no_data(awkward_grid, make_volume):
    volume = make_volume(lambda points: np.ones(points.shape[:-1]), awkward_grid)
    volume.mask[:, :, : awkward_grid.size[0] // 2] = False
    ends = torch.as_tensor(np.stack([awkward_grid.center - 0.2 * awkward_grid.matrix[:3, 0] * awkward_grid.size[0],
                                     awkward_grid.center + 0.2 * awkward_grid.matrix[:3, 0] * awkward_grid.size[0],
                                     awkward_grid.center + 500.0]), dtype=torch.float32)
    values, inside = volume.sample(ends)
    assert inside.tolist() == pytest.approx([0, 1, 0], abs=1e-4)
    assert values.tolist() == pytest.approx([1, 1, 0], abs=1e-4)


def test_samples_are_differentiable_in_the_points(awkward_grid, make_volume):
    volume = make_volume(blob(awkward_grid.center, 20.0), awkward_grid)
    point = torch.as_tensor(awkward_grid.center + [9.3, -4.1, 6.7], dtype=torch.float32).requires_grad_()
    volume.sample(point)[0].backward()
    step = 0.5
    for axis in range(3):
        offset = torch.zeros(3)
        offset[axis] = step
        slope = (volume.sample(point.detach() + offset)[0] - volume.sample(point.detach() - offset)[0]) / (2 * step)
        assert float(point.grad[axis]) == pytest.approx(float(slope), abs=0.006)


def test_center_of_mass_in_mm(awkward_grid, make_volume):
    center = awkward_grid.center + np.array([13.0, -9.0, 21.0])
    volume = make_volume(blob(center), awkward_grid)
    assert np.abs(volume.center_of_mass() - center).max() < 0.1
    low = volume.grid.points()[..., 2] < center[2]
    masked = Volume("half", volume.data, volume.grid, low)
    assert masked.center_of_mass()[2] < center[2] - 5


@pytest.mark.parametrize("spacing", [2.0, 5.0, 8.0])
def test_resampling_keeps_a_blob_where_it_is(awkward_grid, make_volume, spacing):
    center = awkward_grid.center + np.array([13.0, -9.0, 21.0])
    coarse = make_volume(blob(center, 18.0), awkward_grid).resampled(spacing)
    assert coarse.grid.spacing == pytest.approx([spacing] * 3)
    assert np.abs(coarse.center_of_mass() - center).max() < 0.1
    points = torch.as_tensor(center + np.array([[0.0, 0, 0], [18, 0, 0], [0, 0, -18]]), dtype=torch.float32)
    # a little lower and wider, as smoothing must be
    assert coarse.sample(points)[0].tolist() == pytest.approx([0.95, 0.6, 0.6], abs=0.12)


def test_fine_thin_slices_down_to_an_isotropic_level(make_volume):
    grid = Grid((128, 128, 12), np.array([[0.5, 0, 0, -32], [0, 0.5, 0, -32], [0, 0, 6.0, -33], [0, 0, 0, 1]]))
    volume = make_volume(blob(np.array([4.0, -3.0, 5.0]), 9.0), grid)
    coarse = volume.resampled(3.0)
    assert np.abs(coarse.center_of_mass() - volume.center_of_mass()).max() < 0.1
    assert coarse.grid.spacing == pytest.approx([3.0] * 3)


def test_resampling_averages_rather_than_picks():
    stripes = torch.zeros(40, 40, 40)
    stripes[:, :, ::2] = 1.0
    volume = Volume("stripes", stripes, Grid((40, 40, 40), np.eye(4)), torch.ones(40, 40, 40, dtype=torch.bool))
    coarse = volume.resampled(4.0).data[1:-1, 1:-1, 1:-1]
    assert coarse.mean() == pytest.approx(0.5, abs=0.02) and coarse.std() < 0.05


def test_the_mask_is_resampled_too(make_volume, grid_of):
    grid = grid_of("oblique")
    volume = make_volume(lambda points: np.ones(points.shape[:-1]), grid)
    left = grid.points()[..., 0] < grid.center[0]
    coarse = Volume("half", volume.data, grid, left).resampled(8.0)
    x = coarse.grid.points()[..., 0]
    assert coarse.mask[x < grid.center[0] - 8].all() and not coarse.mask[x > grid.center[0] + 8].any()


def test_content_is_tissue_and_what_is_near(make_volume, grid_of, head):
    grid = grid_of("oblique")
    volume = make_volume(lambda points: head.ct(points - grid.center), grid)
    radius = np.linalg.norm((grid.points().numpy() - grid.center) / [58, 72, 64], axis=-1)
    assert volume.content[torch.from_numpy(radius < 0.95)].all()
    assert not volume.content[torch.from_numpy(radius > 1.6)].float().mean() > 0.1
    empty = Volume("faint", 0.01 * volume.data, grid, volume.mask)
    assert empty.content.all()
