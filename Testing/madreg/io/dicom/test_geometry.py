"""Where DICOM slices lie, in millimetres: a known function of space must be found where it belongs."""

import re

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.errors import InputError
from madreg.image.geometry import Grid, rotation_angle
from madreg.io.images import open_image
from madreg.io.scan import read_scan


def oblique(turn):
    axes = turn((1, 2, 3), 33)
    return axes[:, :2], axes[:, 2]


def test_an_even_oblique_series_is_where_it_belongs_and_as_itk_reads_it(tmp_path, dicom, turn, off_mm):
    axes, normal = oblique(turn)
    positions = np.array([10.0, -20.0, 30.0]) + 2.5 * np.arange(20)[:, None] * normal
    folder = dicom.write_slices(tmp_path / "scan", positions, axes)
    image, source = open_image(folder)
    assert off_mm(image) < 0.1 and source.notices == ()
    assert image.GetPixelID() == sitk.sitkInt16
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    itk = reader.Execute()
    assert np.abs(Grid.of_image(image).corners - Grid.of_image(itk).corners).max() < 1e-3
    assert (sitk.GetArrayFromImage(image) == sitk.GetArrayFromImage(itk)).all()


def test_positions_that_differ_in_the_last_digit_are_even(tmp_path, dicom, straight, off_mm):
    positions = straight(20, 1.25)
    positions[:, 2] += np.random.default_rng(0).uniform(-0.005, 0.005, 20)
    image, source = open_image(dicom.write_slices(tmp_path / "scan", positions))
    assert image.GetSize()[2] == 20 and off_mm(image) < 0.1 and source.notices == ()


@pytest.mark.parametrize("degrees", [10, 18, -25])
def test_a_tilted_gantry_is_rectified(tmp_path, dicom, degrees, off_mm):
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    axes = np.array([[1.0, 0], [0, c], [0, -s]])
    positions = np.array([[-30.0, -25.0, 2.5 * k] for k in range(24)])
    image, source = open_image(dicom.write_slices(tmp_path / "scan", positions, axes))
    grid = Grid.of_image(image)
    assert off_mm(image) < 0.35
    assert np.abs(grid.matrix[:3, :3].T @ grid.matrix[:3, :3] - np.diag(grid.spacing**2)).max() < 1e-6
    assert grid.spacing[2] == pytest.approx(2.5 * c)  # across the slices, not along the table
    assert len(source.notices) == 1 and f"tilted by {abs(degrees)} degrees" in source.notices[0]
    inside = np.isfinite(sitk.GetArrayFromImage(image))
    assert inside.sum() > 0.9 * 24 * 40 * 32  # nothing is lost


def test_missing_slices_hold_no_data_and_the_rest_stays_in_place(tmp_path, dicom, straight, off_mm):
    kept = [k for k in range(40) if not 14 <= k < 20]
    image, source = open_image(dicom.write_slices(tmp_path / "scan", straight(40)[kept]))
    data = np.isfinite(sitk.GetArrayFromImage(image)).any((1, 2))
    assert image.GetSize()[2] == 40 and off_mm(image) < 0.1
    assert data.tolist() == [k in kept for k in range(40)]
    assert len(source.notices) == 1 and "6 slices are missing" in source.notices[0]


def test_one_missing_thin_slice_is_interpolated(tmp_path, dicom, straight, off_mm):
    kept = [k for k in range(40) if k != 11]
    image, source = open_image(dicom.write_slices(tmp_path / "scan", straight(40)[kept]))
    assert image.GetSize()[2] == 40 and off_mm(image) < 0.2
    assert np.isfinite(sitk.GetArrayFromImage(image)).all()
    assert len(source.notices) == 1 and "1 slice is missing" in source.notices[0]


def test_a_stack_that_lacks_most_slices_is_refused(tmp_path, dicom, straight):
    kept = [*range(8), *range(30, 38)]
    with pytest.raises(InputError, match="lacks 22 of 38 slices: copy or export"):
        open_image(dicom.write_slices(tmp_path / "scan", straight(40)[kept]))


def test_two_slice_distances_become_one(tmp_path, dicom, off_mm):
    along = np.concatenate([np.arange(12) * 2.0, 22.0 + np.arange(1, 9) * 5.0])
    positions = np.array([[-30.0, -25.0, z] for z in along])
    image, source = open_image(dicom.write_slices(tmp_path / "scan", positions))
    assert off_mm(image) < 0.6  # linear interpolation over 5 mm
    assert image.GetSpacing()[2] == pytest.approx(2.0, abs=0.05)
    assert np.isfinite(sitk.GetArrayFromImage(image)).all()
    assert len(source.notices) == 1 and "2 to 5 mm apart" in source.notices[0]


def test_slices_beside_each_other_are_no_stack(tmp_path, dicom):
    positions = np.array([[90.0 * k, 0.0, 2.0 * k] for k in range(12)])
    with pytest.raises(InputError, match="lie beside each other"):
        open_image(dicom.write_slices(tmp_path / "scan", positions))


def test_no_slice_counts_on_the_order_of_files_or_numbers(tmp_path, dicom, straight, off_mm):
    numbers = np.random.default_rng(3).permutation(20)
    folder = dicom.write_slices(tmp_path / "scan", straight(20)[::-1], InstanceNumber=lambda k: int(numbers[k]))
    image, _ = open_image(folder)
    assert off_mm(image) < 0.1


@pytest.mark.parametrize("value", ["-2.0", "7.0", None])
def test_the_written_slice_spacing_does_not_count(tmp_path, dicom, straight, value, off_mm):
    folder = dicom.write_slices(tmp_path / "scan", straight(20), SpacingBetweenSlices=value)
    image, _ = open_image(folder)
    assert off_mm(image) < 0.1 and image.GetSpacing()[2] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("keyword", "words"),
    [
        ("PixelSpacing", "how large its pixels are"),
        ("ImagePositionPatient", "where its slices lie"),
        ("ImageOrientationPatient", "where its slices lie"),
    ],
)
def test_missing_geometry_is_refused_with_its_name(tmp_path, dicom, straight, keyword, words):
    folder = dicom.write_slices(tmp_path / "scan", straight(12), **{keyword: None})
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        open_image(folder)
    assert keyword in str(caught.value) and str(folder) in str(caught.value)


def test_slopes_that_differ_from_slice_to_slice_count(tmp_path, dicom, straight):
    """Of PET: an empty slice has a slope of 1, others fractions."""
    slopes = np.where(np.arange(20) < 2, 1.0, 1e-4 * (1 + np.arange(20) / 10))

    def stored(points):
        k = round((points[0, 0, 2] + 20) / 2.0)
        return np.zeros(points.shape[:2]) if k < 2 else dicom.blob(points) / 500 / slopes[k]

    folder = dicom.write_slices(
        tmp_path / "pet", straight(20), values=stored, RescaleSlope=lambda k: f"{slopes[k]:.8g}", RescaleIntercept="0"
    )
    array = sitk.GetArrayFromImage(open_image(folder)[0])
    points = Grid.of_image(open_image(folder)[0]).points().numpy().astype(float)
    assert array.dtype == np.float32
    assert np.abs(array[2:] - dicom.blob(points)[2:] / 500).max() < 3e-4
    assert (array[:2] == 0).all()


def test_a_whole_intercept_keeps_whole_numbers(tmp_path, dicom, straight):
    folder = dicom.write_slices(tmp_path / "ct", straight(12), RescaleSlope="1", RescaleIntercept="-1024")
    image, _ = open_image(folder)
    plain, _ = open_image(dicom.write_slices(tmp_path / "plain", straight(12)))
    assert image.GetPixelID() == sitk.sitkInt16
    assert (sitk.GetArrayFromImage(image) == sitk.GetArrayFromImage(plain) - 1024).all()


def test_signed_values_of_twelve_bits_keep_their_sign(tmp_path, dicom, straight):
    def stored(points):
        return np.round(dicom.blob(points) - 500).astype(np.int16) & 0x0FFF

    folder = dicom.write_slices(tmp_path / "scan", straight(12), values=stored, BitsStored=12, HighBit=11)
    array = sitk.GetArrayFromImage(open_image(folder)[0])
    points = Grid.of_image(open_image(folder)[0]).points().numpy().astype(float)
    assert np.abs(array - (dicom.blob(points) - 500)).max() < 0.51


def test_what_was_read_stands_in_the_record(tmp_path, dicom, turn, straight):
    axes, normal = oblique(turn)
    positions = np.array([0.0, 0.0, 0.0]) + 2.0 * np.arange(12)[:, None] * normal
    scan = read_scan(dicom.write_slices(tmp_path / "scan", positions, axes, SeriesDescription="t2 tra"))
    assert rotation_angle(Grid.of_image(scan.image).matrix[:3, :3]) == pytest.approx(33, abs=0.01)
    record = scan.source.report()
    assert record["format"] == "DICOM" and record["series"] == "1.2.3.4" and record["size"] == [32, 40, 12]
    assert record["spacing"] == pytest.approx([2.0, 1.5, 2.0]) and "t2 tra" in record["volume"]
