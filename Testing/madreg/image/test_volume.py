import numpy as np
import pytest
import SimpleITK as sitk
import torch

from madreg.image.geometry import Grid, about, rotation
from madreg.image.sampling import FEW, sample_array, sample_lattice
from madreg.image.volume import Volume
from madreg.io.reading import volume_from_image


def random_image(grid, seed=0):
    array = np.random.default_rng(seed).random(grid.shape).astype(np.float32)
    return sitk.SmoothingRecursiveGaussian(grid.as_image(array), 1.5)


def test_samples_are_those_of_an_itk_resampler(grid):
    volume, _ = volume_from_image(random_image(grid), "random")
    target = Grid.covering(grid.corners.min(0), grid.corners.max(0), 5.0)
    values, there = volume.sample(target.points())
    image = volume.grid.as_image(volume.data.numpy())
    reference = target.as_image(np.zeros(target.shape, np.float32))
    expected = sitk.GetArrayFromImage(sitk.Resample(image, reference, sitk.Transform(), sitk.sitkLinear, -1.0))
    inside = there.numpy() > 0.999
    assert 0.05 < inside.mean() < 1 and (expected[inside] >= 0).all()
    assert np.abs(values.numpy() - expected)[inside].max() < 2e-3
    outside = (
        np.abs(target.points().numpy() @ grid.inverse[:3, :3].T + grid.inverse[:3, 3] - (np.array(grid.size) - 1) / 2)
        > (np.array(grid.size) + 1) / 2
    )
    assert (values.numpy()[outside.any(-1)] == 0).all() and (there.numpy()[outside.any(-1)] == 0).all()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_samples_do_not_depend_on_how_they_are_divided(threads):
    rng = np.random.default_rng(0)
    array = torch.as_tensor(rng.random((2, 7, 8, 9)), dtype=torch.float32)
    points = torch.as_tensor(rng.uniform(-1, 9, (FEW + 1, 3)), dtype=torch.float32).requires_grad_()
    one_by_one = torch.cat([sample_array(array, torch.eye(4), some, "zeros") for some in points.split(1000)], 1)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        samples = sample_array(array, torch.eye(4), points, "zeros")
    finally:
        torch.set_num_threads(before)
    assert samples.shape == (2, FEW + 1) and torch.equal(samples, one_by_one)
    gradients = [torch.autograd.grad(some.sum(), points)[0] for some in (samples, one_by_one)]
    assert torch.allclose(*gradients, atol=1e-5) and gradients[0].abs().max() > 0.1


@pytest.mark.parametrize("fill", ["border", "zeros"])
def test_samples_on_a_lattice_are_those_at_its_points(odd_grids, fill):
    grid, lattice = list(odd_grids.values())[1:3]
    array = torch.rand(2, *grid.shape, generator=torch.Generator().manual_seed(0))
    pose = about(grid.center, rotation(np.array([1, 2, -1]), 20) @ np.diag([1.1, 0.9, 1.0]), np.array([4.0, -3.0, 7.0]))
    points = lattice.points().double() @ torch.tensor(pose[:3, :3]).T + torch.tensor(pose[:3, 3])
    wanted = sample_array(array.double(), torch.tensor(grid.inverse), points, fill)
    found = sample_lattice(array, grid, pose, lattice, fill)
    assert found.dtype == torch.float32 and found.shape == (2, *lattice.shape)
    assert (found - wanted).abs().max() < 1e-4


def test_samples_are_differentiable_in_the_points(grid, blob_volume):
    volume = blob_volume(grid)
    point = torch.tensor(volume.grid.center[None] + [[4.0, 3.0, -5.0]], dtype=torch.float32, requires_grad=True)
    volume.sample(point)[0].sum().backward()
    downhill = -point.grad[0].numpy()
    outwards = np.array([4.0, 3.0, -5.0])  # the blob is brightest in the middle of the lattice
    assert downhill @ outwards > 0.8 * np.linalg.norm(downhill) * np.linalg.norm(outwards)


@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (7.0, -6.0, 5.0)])
def test_center_of_mass_is_found_in_millimetres(grid, blob_volume, shift):
    center = np.array([12.0, -30.0, 45.0]) + shift
    found = blob_volume(grid, center, 5.0).center_of_mass()
    assert np.linalg.norm(found - center) < 0.1


@pytest.mark.parametrize("spacing", [2.0, 4.0, 5.0])
def test_resampling_leaves_a_blob_where_it_is(grid, blob_volume, spacing):
    center = np.array([13.0, -28.0, 44.0])
    resampled = blob_volume(grid, center, 7.0).resampled(spacing)
    assert np.allclose(resampled.grid.spacing, spacing)
    assert np.linalg.norm(resampled.center_of_mass() - center) < 0.1


def test_resampling_keeps_the_edges_of_the_mask():
    grid = Grid.covering(np.zeros(3), np.full(3, 80.0), 1.0)
    mask = torch.ones(grid.shape, dtype=torch.bool)
    mask[:, :, :40] = False  # no data where x < 40 mm
    resampled = Volume("half", torch.rand(grid.shape), grid, mask).resampled(4.0)
    x = resampled.grid.points()[..., 0]
    assert not resampled.mask[x < 40 - 2.5].any() and resampled.mask[x > 40 + 2.5].all()


def test_masked_voxels_hold_no_data_and_do_not_weigh(blob_volume, odd_grids):
    whole = blob_volume(odd_grids["oblique"])
    half = Volume("half", whole.data, whole.grid, whole.grid.points()[..., 2] < whole.grid.center[2])
    points = torch.as_tensor(whole.grid.center + np.array([[0, 0, 20.0], [0, 0, -20.0]]), dtype=torch.float32)
    assert half.sample(points)[1].tolist() == pytest.approx([0, 1], abs=1e-4)
    assert half.center_of_mass()[2] < whole.center_of_mass()[2] - 4  # mm; half a ball hangs low


def test_resampling_averages_rather_than_picks():
    stripes = torch.zeros(40, 40, 40)
    stripes[:, :, ::2] = 1.0
    volume = Volume("stripes", stripes, Grid((40, 40, 40), np.eye(4)), torch.ones(40, 40, 40, dtype=torch.bool))
    coarse = volume.resampled(4.0).data[1:-1, 1:-1, 1:-1]
    assert coarse.mean() == pytest.approx(0.5, abs=0.02) and coarse.std() < 0.05


def test_two_slices_are_enough_to_be_resampled():
    grid = Grid((40, 40, 2), np.diag([2.0, 2.0, 5.0, 1.0]))
    resampled = Volume("slab", torch.rand(grid.shape), grid, torch.ones(grid.shape, dtype=torch.bool)).resampled(4.0)
    assert min(resampled.grid.size) >= 2 and torch.isfinite(resampled.data).all()


def test_content_is_the_tissue_and_its_surroundings(blob_volume, odd_grids):
    volume = blob_volume(odd_grids["plain"], sigma_mm=6.0)
    distance = np.linalg.norm(volume.grid.points().numpy() - volume.grid.center, axis=-1)
    assert volume.foreground.numpy()[distance < 15].all()
    assert not volume.foreground.numpy()[distance > 45].any()


def test_the_radius_of_gyration_is_the_same_along_any_axes(turn):
    """Of a box full of tissue: the root of a twelfth of its squared edges, in mm."""
    matrix = np.eye(4)
    matrix[:3, :3] = turn((1, 2, 3), 40) * [2.0, 3.0, 4.0]
    grid = Grid((60, 50, 40), matrix)
    volume = Volume("box", torch.ones(grid.shape), grid, torch.ones(grid.shape, dtype=torch.bool))
    assert volume.radius_of_gyration == pytest.approx(np.sqrt((120**2 + 150**2 + 160**2) / 12), rel=1e-3)


def test_thickness_is_the_least_extent_of_the_content_in_mm():
    """Along the volume's own axes, the 10 mm around the tissue included, and not more than there is data."""
    grid = Grid((60, 50, 40), np.diag([2.0, 3.0, 4.0, 1.0]))
    data = torch.zeros(grid.shape)
    data[10:30, 20:30, 10:50] = 1.0  # 80 x 30 x 80 mm
    volume = Volume("box", data, grid, torch.ones(grid.shape, dtype=torch.bool))
    assert volume.thickness == pytest.approx(30 + 2 * 9)  # 10 mm are three voxels there
    cut = Volume("slab", data, grid, (torch.arange(40)[:, None, None] // 5 == 3).expand(grid.shape))
    assert cut.thickness == 5 * 4.0


def test_span_is_that_of_the_data():
    values = torch.linspace(0, 1, 1000).view(10, 10, 10)
    grid = Grid((10, 10, 10), np.eye(4))
    assert Volume("all", values, grid, torch.ones(10, 10, 10, dtype=torch.bool)).span == (0, 1)
    low, high = Volume("some", values, grid, (values > 0.25) & (values < 0.75)).span
    assert low == pytest.approx(0.25, abs=2e-3) and high == pytest.approx(0.75, abs=2e-3)
