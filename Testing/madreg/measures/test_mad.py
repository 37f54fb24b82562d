"""The MAD measure: its interface, and that the shipped network's distance follows the true one."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from madreg import resources
from madreg.image.geometry import Grid
from madreg.image.volume import Volume
from madreg.measures.mad import MAD
from madreg.network import weights
from madreg.network.models import build
from madreg.network.settings import FusedSettings, SiameseSettings
from translation import translation_matrix


def bundled():
    """The bundled network."""
    return weights.load()[0]


@pytest.fixture(scope="module")
def pair(grid_of, make_volume, head):
    grid = grid_of("straight")
    return make_volume(head.mr, grid), make_volume(head.ct, grid)


@pytest.fixture(scope="module", params=["siamese", "fused"])
def network(request):
    torch.manual_seed(0)
    settings = SiameseSettings(4, 1, 8) if request.param == "siamese" else FusedSettings((4, 4, 8), (1, 1))
    return build(settings).eval().requires_grad_(False)


@pytest.mark.parametrize("mode", ["dense", "patches"])
def test_values_are_per_matrix_and_differentiable(pair, network, mode):
    measure = MAD(*pair, network, mode=mode, patches=4)
    matrices = torch.tensor(np.stack([np.eye(4), translation_matrix(20.0)]), requires_grad=True)
    values = measure(matrices)
    assert values.shape == (2,) and bool((values > 0).all())
    assert float(values[0].detach()) == pytest.approx(float(measure(matrices[:1].detach())[0]), abs=1e-3)
    values.sum().backward()
    assert bool(matrices.grad.isfinite().all()) and float(matrices.grad[:, :3].abs().amax(-1).min()) > 0


def test_the_map_has_a_distance_for_every_point_of_the_fixed_head(pair, network):
    measure = MAD(*pair, network)
    distances, seen = measure.map(translation_matrix(10.0))
    assert distances.shape == seen.shape == (len(measure.points),) and seen.dtype == bool
    assert seen.mean() > 0.9
    points = measure.points.numpy()
    assert np.abs(points.mean(0)).max() < 10  # the head of the fixture lies about the origin
    assert np.ptp(points, axis=0).min() > 80
    far, unseen = measure.map(translation_matrix(1000.0))
    assert not unseen.any() and np.isfinite(far).all()


def test_no_other_mode_exists(pair, network):
    with pytest.raises(ValueError, match="unknown mode 'sparse'"):
        MAD(*pair, network, mode="sparse")


def reordered(volume: Volume) -> Volume:
    """The same voxels, stored as slices along another axis and from the other end of one."""
    image = sitk.Flip(sitk.PermuteAxes(volume.grid.as_image(volume.data.numpy()), [1, 2, 0]), [False, True, False])
    data = torch.from_numpy(sitk.GetArrayFromImage(image).copy())
    return Volume(volume.name, data, Grid.of_image(image), torch.ones_like(data, dtype=torch.bool))


def test_the_order_of_the_voxels_does_not_matter(pair, network):
    """The network was trained along LPS; along other axes its predictions err by 1 to 2 mm more."""
    fixed, moving = pair
    assert fixed.mask.all()
    pose = translation_matrix(10.0, -5.0)
    shown = [MAD(one, moving, network).map(pose)[0].mean() for one in (fixed, reordered(fixed))]
    assert shown[0] == pytest.approx(shown[1], rel=1e-3)


def predictions(measure: MAD, distances: list[float]) -> list[float]:
    """Mean predicted distance at shifts along a slanted direction."""
    direction = np.array([2.0, -1.0, 2.0]) / 3
    with torch.no_grad():
        return [float(measure(torch.tensor(translation_matrix(*d * direction))[None])[0]) for d in distances]


def test_the_shipped_distance_grows_with_the_displacement_of_a_real_scan():
    from madreg.io.reading import read_volume

    network = bundled()
    fixed, _ = read_volume(resources.path("Demo", "T1w.nii.gz"))
    measure = MAD(fixed, fixed, network)
    near, middle, far = predictions(measure, [0.0, 12.0, 36.0])
    assert near < 6 and near + 2 < middle < far
    assert abs(far - 36) < 15


def test_the_shipped_network_finds_the_moving_points():
    from madreg.io.reading import read_volume

    network = bundled()
    fixed, _ = read_volume(resources.path("Demo", "T1w.nii.gz"))
    measure = MAD(fixed, fixed, network)
    start = translation_matrix(20.0)
    points, found, deviation = measure.correspondences(start)
    error = np.linalg.norm(found - points, axis=1)
    assert len(points) == len(found) == len(deviation) > 100 and (deviation > 0).all()
    assert np.median(error) < 10
