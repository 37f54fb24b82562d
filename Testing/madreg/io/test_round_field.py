"""Round fields of view: their filling is found in slices of any orientation, and nothing round that is anatomy is."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from madreg.image.geometry import apply, mean_displacement
from madreg.io.padding import faces
from madreg.io.reading import volume_from_image
from madreg.io.round_field import outside_circle
from madreg.pipeline.registration import register


def from_axis(shape: tuple[int, int, int], axis: int, middle: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Distance of each voxel from a line along an axis, in voxels."""
    along = [np.arange(n) - (n - 1) / 2 for n in shape]
    first, second = (grid for n, grid in enumerate(np.meshgrid(*along, indexing="ij")) if n != axis)
    return np.hypot(first - middle[0], second - middle[1])


def tissue(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Noise that varies over some voxels, between about 0 and 200."""
    return 100 + 40 * gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2.0) / 0.05


SHAPE = (70, 76, 82)


@pytest.mark.parametrize(("axis", "radius"), [(0, 37.5), (1, 34.5), (2, 34.0), (2, 42.0)])
@pytest.mark.parametrize("fill", [-1000.0, 0.0])
def test_filling_outside_a_circle_is_found(axis, radius, fill):
    distance = from_axis(SHAPE, axis)
    array = np.where(distance > radius, fill, tissue(SHAPE)).astype(np.float32)
    found = outside_circle(array, faces(array))
    assert found is not None
    assert found[distance > radius].all() and not found[distance < radius - 2].any()


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.where(from_axis(SHAPE, 0) > 28, 0, tissue(SHAPE)),  # a phantom with air around it
        lambda: np.where(from_axis(SHAPE, 0, (5, 0)) > 32, 0, tissue(SHAPE)),  # not in the middle
        lambda: np.where(from_axis(SHAPE, 0) > 37 + 3 * np.sin(np.arange(82) / 4), 0, tissue(SHAPE)),  # not round
        lambda: np.where(sum((n - n.mean()) ** 2 for n in np.indices(SHAPE)) > 35**2, 0, tissue(SHAPE)),  # a ball
        lambda: np.where(from_axis(SHAPE, 0) > 37.5, 0, np.where(from_axis(SHAPE, 0) < 30, tissue(SHAPE), 1)),  # air
        lambda: tissue(SHAPE),
        lambda: np.full(SHAPE, np.nan),
    ],
    ids=["phantom", "off the middle", "not round", "ball", "air beside it", "no filling", "NaN"],
)
def test_what_is_no_field_of_view_stays(make):
    array = make().astype(np.float32)
    assert outside_circle(array, faces(array)) is None


def test_reading_leaves_it_out_and_says_so():
    distance = from_axis(SHAPE, 0)
    array = np.where(distance > 37.5, -1000, tissue(SHAPE)).astype(np.float32)
    volume, notices = volume_from_image(sitk.GetImageFromArray(array), "cone beam")
    assert not volume.mask.numpy()[distance > 37.5].any() and volume.mask.numpy()[distance < 35.5].all()
    assert len(notices) == 1 and "padding" in notices[0]


def cone_beam(ct: sitk.Image, middle: np.ndarray, width: float, seed: int = 0) -> sitk.Image:
    """A cylinder out of a CT, cupped and noisy as cone-beam CTs are; ``middle`` (3,) LPS and width in mm."""
    spacing, rng = 0.8, np.random.default_rng(seed)
    count = round(width / spacing)
    box = [count] * 3, sitk.Transform(), sitk.sitkLinear, (middle - width / 2).tolist(), (spacing,) * 3
    cut = sitk.Resample(ct, *box, np.eye(3).ravel().tolist(), -1000.0)
    array = sitk.GetArrayFromImage(cut)
    distance = from_axis(array.shape, 0)
    array = 0.6 * array + 6 * distance + rng.normal(0, 40, array.shape)
    array[distance > count / 2 - 1] = -1000
    made = sitk.GetImageFromArray(array.astype(np.float32))
    made.CopyInformation(cut)
    return made


def moved_header(image: sitk.Image, matrix: np.ndarray) -> sitk.Image:
    """The image where a 4x4 rigid matrix, LPS, puts it."""
    moved = sitk.Image(image)
    moved.SetOrigin(apply(matrix, np.array(image.GetOrigin())).tolist())
    moved.SetDirection((matrix[:3, :3] @ np.reshape(image.GetDirection(), (3, 3))).ravel().tolist())
    return moved


@pytest.mark.slow
def test_a_cylinder_out_of_a_head_is_registered(head_images, rigid_motion):
    """With its wall taken for an edge it ends 90 mm off."""
    ct, t1 = head_images
    corners = [np.array(t1.TransformIndexToPhysicalPoint(index)) for index in ((0, 0, 0), t1.GetSize())]
    middle = corners[0] + (corners[1] - corners[0]) * [0.5, 0.3, 0.35]
    fixed = volume_from_image(t1, "T1")[0]
    truth = rigid_motion((1, 2, 3), 100, (30, -20, 40), middle)
    result = register(fixed, volume_from_image(moved_header(cone_beam(ct, middle, 90.0), truth), "cone beam")[0])
    assert mean_displacement(result.matrix, truth, middle + np.random.default_rng(0).uniform(-40, 40, (100, 3))) < 2
    assert result.verdict != "failed"
