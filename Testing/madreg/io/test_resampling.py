"""The moving image on the grid of the fixed one: where it lies, its values and its voxel type."""

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.errors import InputError
from madreg.image.geometry import Grid, about, apply
from madreg.image.transform import Transform
from madreg.io.resampling import loss_notice, resample
from madreg.settings import INTERPOLATION, VOXEL_TYPE
from translation import translation

MATRIX = about([5.0, -8.0, 30.0], np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]), [7.0, -11.0, 19.0])
FAR = translation(500.0)
HALF = translation(0.5)


def scan(array):
    return sitk.GetImageFromArray(np.asarray(array))


def values(image):
    return sitk.GetArrayFromImage(image)


def noise(kind=np.int16, low=-1000, high=2000, size=12):
    return np.random.default_rng(0).integers(low, high, (size, size, size)).astype(kind)


@pytest.mark.parametrize(
    "kind", [sitk.sitkUInt8, sitk.sitkInt16, sitk.sitkUInt16, sitk.sitkInt32, sitk.sitkFloat32, sitk.sitkFloat64]
)
def test_the_resampled_image_has_the_blob_where_the_transform_says(blob_image, odd_grids, kind):
    fixed, landmark = odd_grids["oblique"], np.array([8.0, -25.0, 41.0])
    moving = Grid.covering(np.full(3, -60.0), np.full(3, 90.0), 3.0)
    image = sitk.Cast(blob_image(moving, apply(MATRIX, landmark), 7.0) + 10, kind)
    resampled = resample(image, fixed.as_image(np.zeros(fixed.shape, np.uint8)), Transform(MATRIX))
    assert resampled.GetPixelID() == kind
    assert np.allclose(Grid.of_image(resampled).matrix, fixed.matrix) and resampled.GetSize() == fixed.size
    weight = values(resampled).astype(float) - 10
    points = fixed.points().double().numpy()
    found = (weight[..., None] * points).sum((0, 1, 2)) / weight.sum()
    assert np.linalg.norm(found - landmark) < 0.3  # mm
    assert 95 <= values(resampled).max() <= 110  # original intensities


def test_integers_are_rounded_not_cut():
    moving = sitk.GetImageFromArray(np.random.default_rng(0).integers(-1000, 2000, (12, 12, 12)).astype(np.int16))
    shift = translation(0.37, 0.21, -0.3)
    inner = (slice(2, -2),) * 3
    whole = values(resample(moving, moving, shift))[inner]
    exact = values(resample(sitk.Cast(moving, sitk.sitkFloat64), moving, shift))[inner]
    assert whole.dtype == np.int16 and np.abs(whole - exact).max() <= 0.501


def test_what_the_moving_image_does_not_cover_gets_its_lowest_value():
    moving = sitk.GetImageFromArray(np.random.default_rng(0).integers(-1000, 2000, (9, 9, 9)).astype(np.int16))
    fixed = sitk.Image([5, 5, 5], sitk.sitkUInt8)
    resampled = resample(moving, fixed, FAR)
    assert (values(resampled) == sitk.GetArrayFromImage(moving).min()).all()
    holes = sitk.Cast(moving, sitk.sitkFloat32)
    holes[4, 4, 4] = float("nan")
    assert np.isfinite(values(resample(holes, fixed, FAR))).all()


# --- chosen by the user ---------------------------------------------------------------------------------------------


def test_nearest_keeps_labels_and_linear_makes_others():
    labels = np.zeros((9, 9, 9), np.int32)
    labels[:, :, 4:] = 100_000_001  # float32 would make 100000000 of it
    third = translation(0.3)
    nearest = values(resample(scan(labels), scan(labels), third, "nearest"))
    assert set(np.unique(nearest)) == {0, 100_000_001} and nearest.dtype == np.int32
    assert len(np.unique(values(resample(scan(labels), scan(labels), third)))) > 2


@pytest.mark.parametrize("name", INTERPOLATION.values)
def test_every_interpolation_keeps_voxels_that_lie_on_voxels(name):
    array = noise()
    shifted = translation(2.0)
    found = values(resample(scan(array), scan(array), shifted, name))
    inner = (slice(3, -3),) * 3
    np.testing.assert_allclose(found[inner], np.roll(array, -2, axis=2)[inner], atol=1)


def test_sharper_interpolations_are_nearer_to_a_smooth_signal():
    _k, _j, i = np.meshgrid(*(np.arange(24.0),) * 3, indexing="ij")

    def wave(x):
        return (1000 * np.sin(x)).astype(np.float32)

    exact = wave(i + 0.5)[6:-6, 6:-6, 6:-6]

    def off(name):
        found = values(resample(scan(wave(i)), scan(wave(i)), HALF, name))
        return np.abs(found[6:-6, 6:-6, 6:-6] - exact).mean()

    assert off("nearest") > 3 * off("linear") > 9 * off("bspline")
    assert off("linear") > 9 * off("sinc")


def test_the_fill_value_is_where_the_moving_image_has_no_voxels():
    moving, fixed = scan(noise()), sitk.Image([5, 5, 5], sitk.sitkUInt8)
    assert (values(resample(moving, fixed, FAR, fill=-2024)) == -2024).all()
    assert (values(resample(moving, moving, Transform.identity(), fill=-2024)) == values(moving)).all()


@pytest.mark.parametrize("name", VOXEL_TYPE.values[1:])
def test_the_voxel_type_is_the_chosen_one_and_values_are_cut_off_at_its_limits(name):
    array = noise()
    found = values(resample(scan(array), scan(array), Transform.identity(), voxel_type=name, fill=0))
    kind = np.dtype(name)
    assert found.dtype == kind
    limits = np.iinfo(kind) if kind.kind in "iu" else np.finfo(kind)
    np.testing.assert_array_equal(found, array.clip(limits.min, min(limits.max, 3e9)).astype(kind))


@pytest.mark.parametrize(
    ("array", "kind", "words"),
    [
        (noise(), "uint8", "from -1000 to 1998"),
        (noise(np.int32, -70_000, 0), "int16", "-32768 to 32767"),
        (noise(np.float64, 0, 255) * 1e40, "float32", "float32 hold"),
        (noise(np.float32, 0, 100) / 100, "uint8", "whole numbers"),
    ],
)
def test_what_the_voxel_type_cannot_hold_is_said(array, kind, words):
    notice = loss_notice(array, kind, "scan.nii")
    assert notice.startswith("scan.nii has values") and words in notice and notice.endswith(".")


@pytest.mark.parametrize("kind", ["moving", "float64"])
@pytest.mark.parametrize("array", [noise(np.int64) + 2**62, noise(np.int64) - 2**62, noise(np.uint64, 0) + 2**63])
def test_whole_numbers_of_more_digits_than_are_kept_are_said(array, kind):
    notice = loss_notice(array, kind, "scan.nii")
    assert f"from {array.min()} to {array.max()}" in notice and "the first digits" in notice


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (noise(), "moving"),
        (noise(np.int64) + 2**52, "moving"),
        (noise(np.float32) + 0.5, "int16"),
        (noise(np.float32, 0, 3), "uint8"),
        (np.where(noise() > 0, np.float32(200), np.nan), "uint8"),
        (noise(np.int64), "float32"),
    ],
)
def test_nothing_is_said_where_next_to_nothing_is_lost(array, kind):
    assert loss_notice(array, kind, "scan.nii") is None


def test_numbers_beyond_float32_become_its_greatest():
    array = noise(np.float64) * 1e40
    array[4, 4, 4] = np.nan
    found = values(resample(scan(array), scan(array), Transform.identity(), "nearest", voxel_type="float32"))
    assert np.isnan(found[4, 4, 4]) and np.isfinite(found).sum() == found.size - 1
    assert np.nanmax(found) == np.finfo(np.float32).max and np.nanmin(found) == np.finfo(np.float32).min


@pytest.mark.parametrize("name", ["linear", "bspline", "sinc"])
def test_a_voxel_without_a_number_takes_only_those_beside_it(name):
    array = noise(np.float32, size=16)
    whole = values(resample(scan(array), scan(array), HALF, name))
    array[6, 7, 8] = np.nan
    found = values(resample(scan(array), scan(array), HALF, name))
    assert np.argwhere(np.isnan(found)).tolist() == [[6, 7, 7], [6, 7, 8]]
    inner = (slice(11, -2),) * 3  # farther away than the interpolation reaches
    np.testing.assert_allclose(found[inner], whole[inner], rtol=1e-3, atol=5)
    assert (values(resample(scan(array), scan(array), HALF, name, -7, "int16"))[6, 7, 7:9] == -7).all()


def test_decimals_stay_in_a_voxel_type_with_decimals():
    array = noise()
    found = values(resample(scan(array), scan(array), HALF, voxel_type="float64"))
    inner = (slice(2, -2),) * 3
    between = (array + np.roll(array.astype(float), -1, axis=2)) / 2
    np.testing.assert_allclose(found[inner], between[inner])


@pytest.mark.parametrize("name", ["bspline", "sinc"])
def test_overshoot_does_not_wrap_around(name):
    array = np.zeros((12, 12, 12), np.uint8)
    array[:, :, 6:] = 255
    found = values(resample(scan(array), scan(array), HALF, name)).astype(int)
    off = np.abs(found - array.astype(int))[:, :, :-1]  # the last lies half a voxel outside
    assert (off <= 130).all()  # wrapped around they would be 255 off


@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_the_greatest_whole_numbers_do_not_wrap_around(kind):
    array = np.full((6, 6, 6), np.iinfo(kind).max, kind)
    found = values(resample(scan(array), scan(array), HALF, "bspline"))
    assert found.dtype == kind and (found[:, :, 1:-2] > np.iinfo(kind).max - 2**12).all()


@pytest.mark.parametrize("name", INTERPOLATION.values)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_no_data_become_the_fill_value_of_a_type_without_decimals(value, name):
    array = noise(np.float32)
    array[4, 4, 4] = value
    found = values(resample(scan(array), scan(array), Transform.identity(), name, -7, "int16"))
    assert found[4, 4, 4] == -7 and abs(found[4, 4, 5] - round(float(array[4, 4, 5]))) <= 1
    found = values(resample(scan(array), scan(array), Transform.identity(), name))
    assert np.argwhere(np.isnan(found)).tolist() == [[4, 4, 4]] and np.nanmax(abs(found)) < 3000


@pytest.mark.parametrize(("fill", "kind"), [(-1, "uint8"), (0.5, "moving"), (40_000, "int16"), (1e30, "int32")])
def test_a_fill_value_that_the_voxel_type_cannot_hold_is_refused(fill, kind):
    with pytest.raises(InputError, match="cannot hold the fill value"):
        resample(scan(noise()), scan(noise()), FAR, fill=fill, voxel_type=kind)
