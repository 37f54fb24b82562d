import gzip
import os
import struct
import subprocess
import sys
import tempfile

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.errors import InputError
from madreg.image import foreground
from madreg.image.geometry import Grid
from madreg.io import mask_outline
from madreg.io.reading import CLAMP, normalise, read_image, read_volume, volume_from_image


def image_of(array, spacing=(2.0, 2.0, 2.0)):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    return image


def noise(shape=(12, 20, 24), seed=0):
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def head_ct(fill=-1000.0, noise_hu=10.0, metal=True, seed=0):
    """A ball of brain (35) in a shell of bone (1000) in air, and where its parts are."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*[np.arange(-32, 32)] * 3, indexing="ij")
    radius = np.sqrt(x**2 + y**2 + z**2)
    parts = {"air": radius > 25, "bone": (radius <= 25) & (radius > 22), "soft": radius <= 22}
    array = np.select(list(parts.values()), [fill, 1000.0, 35.0]) + rng.normal(0, noise_hu, radius.shape)
    if metal:
        array[30:34, 10:14, 30:34] = 25_000
    return array.astype(np.float32), parts


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("name", ["oblique", "anisotropic", "sagittal"])
def test_files_keep_voxels_and_place(tmp_path, odd_grids, suffix, name):
    grid = odd_grids[name]
    array = (1000 * noise(grid.shape)).astype(np.int16)
    path = tmp_path / f"image{suffix}"
    sitk.WriteImage(grid.as_image(array), str(path))
    image = read_image(path)
    assert (sitk.GetArrayFromImage(image) == array).all()
    assert np.linalg.norm(Grid.of_image(image).corners - grid.corners, axis=1).max() < 1e-3  # mm


def test_reading_needs_no_torch():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    code = "import sys, madreg.io.reading; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


def write_series(folder, image, uid, number=1):
    """A CT series of single-slice DICOM files."""
    folder.mkdir(exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    direction = image.GetDirection()
    orientation = "\\".join(f"{direction[n]:.9f}" for n in (0, 3, 6, 1, 4, 7))
    for k in range(image.GetDepth()):
        cut = image[:, :, k]
        position = image.TransformIndexToPhysicalPoint((0, 0, k))
        for key, value in {
            "0008|0060": "CT",
            "0020|000e": uid,
            "0020|000d": "1.2.3",
            "0008|0018": f"{uid}.{k + 1}",
            "0020|0037": orientation,
            "0020|0032": "\\".join(f"{c:.9f}" for c in position),
            "0020|0013": str(k),
            "0020|0011": str(number),
            "0018|0050": str(image.GetSpacing()[2]),
        }.items():
            cut.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{number}_{k:03d}.dcm"))
        writer.Execute(cut)


def test_the_largest_dicom_series_of_a_folder_is_read(tmp_path):
    grid = Grid((20, 24, 9), np.array([[0, 0, 3.0, 5], [1.5, 0, 0, -7], [0, -1.5, 0, 11], [0, 0, 0, 1]]))
    array = (1000 * noise(grid.shape)).astype(np.int16)
    large = grid.as_image(array)
    write_series(tmp_path / "scan", large, "1.2.3.4", 1)
    write_series(tmp_path / "scan", large[:, :, :3] * 0, "1.2.3.5", 2)
    notices = []
    image = read_image(tmp_path / "scan", notices)
    read = Grid.of_image(image)
    # where a known voxel lies in the world, whatever order the slices came in
    index = image.TransformPhysicalPointToIndex(large.TransformIndexToPhysicalPoint((3, 4, 7)))
    assert read.size == grid.size and image[index] == array[7, 4, 3]
    assert (
        len(notices) == 1
        and "2 DICOM series" in notices[0]
        and "9 slices" in notices[0]
        and "scan:NUMBER" in notices[0]
    )


def test_a_four_dimensional_file_of_one_volume_is_that_volume(tmp_path):
    image = image_of(noise())
    sitk.WriteImage(sitk.JoinSeries([image]), str(tmp_path / "one.nii.gz"))
    assert read_image(tmp_path / "one.nii.gz").GetSize() == image.GetSize()


def bad_files():
    scan = image_of(noise())
    return {
        "slice.nii.gz": (scan[:, :, 3:4], "single slice"),
        "flat.mha": (scan[:, :, 3], "single slice"),
        "series.nii.gz": (sitk.JoinSeries([scan, scan]), "4D series"),
        "vector.nrrd": (sitk.Compose(scan, scan, scan), "more than one number per voxel"),
        "colour.nrrd": (sitk.Cast(sitk.Compose(scan, scan, scan), sitk.sitkVectorUInt8), "more than one number"),
        "constant.mha": (scan * 0 + 7, "same value in every voxel"),
        "nan.mha": (scan * float("nan"), "no finite number"),
        "thread.mha": (image_of(noise((20, 3, 3))), "too small"),
        "metres.mha": (image_of(noise(), (0.0001, 0.0001, 0.0002)), "0.0001 x 0.0001 x 0.0002 mm"),
        "huge.mha": (image_of(noise(), (1.0, 1.0, 500.0)), "1 x 1 x 500 mm"),
    }


@pytest.mark.parametrize("name", list(bad_files()))
def test_unusable_images_are_refused_by_name(tmp_path, name):
    image, reason = bad_files()[name]
    path = tmp_path / name
    sitk.WriteImage(image, str(path))
    assert_refused(path, reason)


def assert_refused(path, reason):
    """One sentence that names the file, gives the reason and says what to do."""
    with pytest.raises(InputError) as caught:
        read_volume(path)
    text = str(caught.value)
    assert str(path) in text and reason in text
    assert "\n" not in text and text.endswith(".") and ": " in text


def test_what_cannot_be_read_is_refused_by_name(tmp_path, capfd):
    scan = image_of(noise())
    assert_refused(tmp_path / "missing.nii.gz", "does not exist")
    (tmp_path / "text.txt").write_text("hello")
    assert_refused(tmp_path / "text.txt", "cannot be read as an image")
    (tmp_path / "empty.nii.gz").write_bytes(b"")
    assert_refused(tmp_path / "empty.nii.gz", "damaged or incomplete")
    (tmp_path / "folder").mkdir()
    assert_refused(tmp_path / "folder", "without DICOM files")
    for suffix, reason in ((".nii", "incomplete"), (".nii.gz", "incomplete"), (".nrrd", "cannot"), (".mha", "cannot")):
        path = tmp_path / f"half{suffix}"
        sitk.WriteImage(scan, str(path))
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert_refused(path, reason)
    assert capfd.readouterr().err == ""  # ITK's own complaints are not shown beside ours


def test_a_damaged_archive_is_refused(tmp_path):
    path = tmp_path / "damaged.nii.gz"
    sitk.WriteImage(image_of(noise()), str(path))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert_refused(path, "damaged")


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("spacing", [0.0, float("nan")])
def test_a_nifti_without_voxel_size_is_refused(tmp_path, spacing, zipped):
    plain = tmp_path / "plain.nii"
    sitk.WriteImage(image_of(noise()), str(plain))
    content = bytearray(plain.read_bytes())
    content[84:88] = struct.pack("<f", spacing)  # pixdim[2]
    path = tmp_path / ("bad.nii.gz" if zipped else "bad.nii")
    path.write_bytes(gzip.compress(bytes(content)) if zipped else content)
    assert_refused(path, "no voxel size")


def test_an_nrrd_with_zero_spacing_is_refused(tmp_path):
    path = tmp_path / "zero.nrrd"
    path.write_bytes(
        b"NRRD0004\ntype: float\ndimension: 3\nsizes: 10 10 10\nspacings: 0 1 1\nencoding: raw\n"
        b"endian: little\n\n" + noise((10, 10, 10)).tobytes()
    )
    assert_refused(path, "cannot be read")


NRRD = "NRRD0004\ntype: float\ndimension: 3\nsizes: 10 10 10\n{}\nencoding: raw\nendian: little\n\n"


def test_an_axis_of_length_0_is_a_voxel_size(tmp_path):
    path = tmp_path / "zero.nrrd"
    geometry = "space: left-posterior-superior\nspace directions: (2,0,0) (0,0,0) (0,0,2)"
    path.write_bytes(NRRD.format(geometry).encode() + noise((10, 10, 10)).tobytes())
    assert_refused(path, "has voxels of 2 x 0 x 2 mm, outside of 0.0005 to 50 mm: correct the spacing in its header")


@pytest.mark.parametrize(
    ("geometry", "is_noticed"),
    [
        ("spacings: 2 nan 2", True),
        ("space: left-posterior-superior\nspace directions: (2,0,0) none (0,0,2)", True),
        ("spacings: 2 2 2", False),
        ("space: left-posterior-superior\nspace directions: (2,0,0) (0,2,0) (0,0,2)", False),
    ],
)
def test_an_nrrd_without_the_voxel_size_of_one_axis_is_noticed(tmp_path, geometry, is_noticed):
    path = tmp_path / "scan.nrrd"
    path.write_bytes(NRRD.format(geometry).encode() + noise((10, 10, 10)).tobytes())
    _, notices = read_volume(path)
    assert any("has no voxel size in its header, and 1 mm was taken" in one for one in notices) == is_noticed


# --- masks ----------------------------------------------------------------------------------------------------------


def test_a_mask_says_where_the_data_is(tmp_path):
    scan = image_of(noise())
    inside = np.zeros((12, 20, 24), np.uint8)
    inside[2:9, 5:15, 4:20] = 3
    sitk.WriteImage(scan, str(tmp_path / "scan.nii.gz"))
    sitk.WriteImage(image_of(inside), str(tmp_path / "mask.nii.gz"))
    volume, notices = read_volume(tmp_path / "scan.nii.gz", tmp_path / "mask.nii.gz")
    assert (volume.mask.numpy() == (inside > 0)).all() and notices == []
    whole, _ = read_volume(tmp_path / "scan.nii.gz")
    assert (whole.data == volume.data).all()  # the mask does not change what a voxel is worth


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda mask: mask * 0, "is empty"),
        (lambda mask: mask[:, :, :-1], "24x20x11 voxels"),
        (lambda mask: image_of(sitk.GetArrayFromImage(mask), (2.0, 2.0, 2.1)), "mm off the image"),
        (lambda mask: sitk.GetImageFromArray(sitk.GetArrayFromImage(mask)), "mm off the image"),
        (lambda mask: sitk.Flip(mask, [True, False, False]), "mm off the image"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(change, reason):
    mask = image_of(np.ones((12, 20, 24), np.uint8))
    with pytest.raises(InputError, match=reason) as caught:
        volume_from_image(image_of(noise()), "scan.nii.gz", change(mask))
    assert "scan.nii.gz" in str(caught.value)


@pytest.mark.parametrize(("spans", "is_noticed"), [((2, 8, 8), False), ((12, 1, 1), True), ((1, 1, 1), True)])
def test_a_mask_of_few_voxels_is_noticed(spans, is_noticed):
    mask = np.zeros((12, 20, 24), np.uint8)
    mask[: spans[0], 4 : 4 + spans[1], 6 : 6 + spans[2]] = 1
    volume, notices = volume_from_image(image_of(noise()), "scan.nii", image_of(mask))
    size = "x".join(map(str, reversed(spans)))
    assert volume.mask.sum() == mask.sum()
    assert any(f"The mask of scan.nii spans only {size} voxels" in one for one in notices) == is_noticed


@pytest.mark.parametrize(("background", "is_noticed"), [(0, False), (-1, True), (5, True)])
def test_a_mask_that_leaves_nothing_out_is_noticed(background, is_noticed):
    mask = np.full((12, 20, 24), background, np.int16)
    mask[2:, 2:, 2:] = 1
    _, notices = volume_from_image(image_of(noise()), "scan.nii", image_of(mask))
    assert any("The mask of scan.nii leaves nothing out" in one for one in notices) == is_noticed


@pytest.mark.parametrize(("radius", "is_noticed"), [(30, True), (40, False), (22, False)])
@pytest.mark.parametrize("air", [0.0, -1000.0])
def test_a_mask_that_ends_where_the_air_begins_is_noticed(radius, is_noticed, air):
    """Not one with 10 mm of air around the body, nor one that ends within it."""
    spacing = np.array([2.5, 2.0, 2.0])
    index = np.indices((40, 48, 50))
    distance = np.linalg.norm((index - np.array(index.shape[1:]).reshape(3, 1, 1, 1) / 2).T * spacing, axis=-1).T
    array = np.where(distance < 30, 100 + 20 * np.random.default_rng(0).normal(size=distance.shape), air)
    mask = (distance < radius).astype(np.uint8)
    scan = image_of(array.astype(np.float32), tuple(spacing[::-1]))
    _, notices = volume_from_image(scan, "scan.nii", image_of(mask, tuple(spacing[::-1])))
    assert any("The mask of scan.nii ends where the air begins" in one for one in notices) == is_noticed


def test_air_is_what_the_foreground_takes_for_background():
    """Two names of one number, as reading does without torch."""
    assert mask_outline.AIR == foreground.BACKGROUND


def test_a_mask_off_by_rounding_is_taken():
    mask = image_of(np.ones((12, 20, 24), np.uint8), (2.0, 2.0, 2.00001))
    volume, _ = volume_from_image(image_of(noise()), "scan", mask)
    assert volume.mask.all()


def test_a_mask_over_nothing_but_padding_is_refused():
    array = noise()
    array[:6] = np.nan
    mask = np.zeros(array.shape, np.uint8)
    mask[:5] = 1
    with pytest.raises(InputError, match="without data"):
        volume_from_image(image_of(array), "scan", image_of(mask))


@pytest.mark.skipif(os.name == "nt", reason="needs limits of POSIX")
@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.vtk"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.usefixtures("started_readers")  # they inherit the limit
def test_a_disk_without_room_for_temporary_files_is_said(tmp_path, monkeypatch, name, full):
    """It is no fault of the scan."""
    import resource

    path, folder = tmp_path / name, tmp_path / "temporary"
    sitk.WriteImage(image_of(noise()), str(path))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    if full:
        folder.mkdir()
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(InputError, match=r"No temporary file can be written .*: free space .* TMPDIR"):
            read_image(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


# --- where there is data --------------------------------------------------------------------------------------------


def test_voxels_that_are_not_numbers_are_no_data():
    array = noise()
    array[:3] = np.nan
    array[3, 0] = np.inf
    array[3, 1] = -np.inf
    volume, notices = volume_from_image(image_of(array), "scan")
    assert (volume.mask.numpy() == np.isfinite(array)).all()
    assert np.isfinite(volume.data.numpy()).all() and (volume.data.numpy()[~np.isfinite(array)] == 0).all()
    assert len(notices) == 1 and "scan" in notices[0] and "NaN" in notices[0]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("zipped", [False, True])
def test_voxels_of_a_nifti_that_are_not_numbers_are_no_data(tmp_path, kind, zipped):
    """ITK reads 0 there, so that nobody would know."""
    array = noise().astype(kind)
    plain = tmp_path / "plain.nii"
    sitk.WriteImage(image_of(array), str(plain))
    header = plain.read_bytes()[:352]
    array[:3], array[3, 0] = np.nan, -np.inf
    path = tmp_path / ("scan.nii.gz" if zipped else "scan.nii")
    content = header + array.tobytes()
    path.write_bytes(gzip.compress(content) if zipped else content)
    volume, notices = read_volume(path)
    assert (volume.mask.numpy() == np.isfinite(array)).all()
    assert len(notices) == 1 and "NaN" in notices[0]
    assert read_image(path).GetPixelID() == read_image(plain).GetPixelID()


@pytest.mark.parametrize("rows", [1, 11])
def test_one_number_beyond_float32_is_no_data(rows):
    array = noise().astype(np.float64)
    array[:rows] = -1e300
    volume, notices = volume_from_image(image_of(array), "scan")
    assert not volume.mask[:rows].any() and volume.mask[rows:].all() and len(notices) == 1
    assert len(np.unique(volume.data[rows:])) > 100


def test_a_few_numbers_beyond_float32_are_damaged():
    array = noise().astype(np.float64)
    array[0, 0, :4] = 1e100, 1e200, -1e300, 1e50
    volume, _ = volume_from_image(image_of(array), "scan")
    assert volume.mask.sum() == array.size - 4 and len(np.unique(volume.data)) > 1000


@pytest.mark.parametrize(
    ("factor", "offset"), [(1e36, 0), (1e300, -5e302), (1e-300, 0), (1, 1e9), (1, -1e12), (1e305, 0)]
)
def test_numbers_that_float32_does_not_hold_or_not_distinguish_are_data(factor, offset):
    """Their image is that of the same numbers in another unit."""
    array = 1000 * noise().astype(np.float64)
    expected, _ = volume_from_image(image_of(array), "scan")
    volume, notices = volume_from_image(image_of(array * factor + offset), "scan")
    assert volume.mask.all() and notices == []
    np.testing.assert_allclose(volume.data, expected.data, atol=2e-4)


@pytest.mark.parametrize("kind", [np.int32, np.uint32, np.int64, np.uint64])
def test_whole_numbers_that_float32_does_not_distinguish_are_data(kind):
    array = (1000 * noise()).astype(np.int64)
    expected, _ = volume_from_image(image_of(array), "scan")
    volume, _ = volume_from_image(image_of(array.astype(kind) + kind(np.iinfo(kind).max - 2000)), "scan")
    np.testing.assert_allclose(volume.data, expected.data, atol=2e-4)


def test_whole_numbers_of_the_widest_range():
    array = np.linspace(-(2**63), 2**63 - 2048, 12 * 20 * 24).astype(np.int64).reshape(12, 20, 24)
    volume, _ = volume_from_image(image_of(array), "scan")
    assert (np.diff(volume.data.numpy().ravel()) >= 0).all() and len(np.unique(volume.data)) > 5000


def test_a_constant_is_one_whatever_arithmetic_leaves_of_it():
    array = np.full((12, 20, 24), 0.1) + 1e-16 * noise()
    with pytest.raises(InputError, match="same value in every voxel"):
        volume_from_image(image_of(array), "scan")


@pytest.mark.parametrize("padding", [-2000.0, -3024.0, -32768.0])
def test_padding_below_air_is_no_data(padding):
    array, _parts = head_ct()
    outside = np.hypot(*np.meshgrid(np.arange(-32, 32), np.arange(-32, 32))) > 31
    array[:, outside] = padding
    array[:, outside & (np.hypot(*np.meshgrid(np.arange(-32, 32), np.arange(-32, 32))) < 31.5)] = padding + 300
    volume, notices = volume_from_image(image_of(array), "ct")
    assert (volume.mask.numpy() == ~np.broadcast_to(outside, array.shape)).all()
    assert len(notices) == 1 and "padding" in notices[0]
    plain, _ = volume_from_image(image_of(head_ct()[0]), "ct")
    assert abs(float(volume.data[32, 32, 32]) - float(plain.data[32, 32, 32])) < 0.02


@pytest.mark.parametrize(
    "make",
    [
        lambda: head_ct()[0],
        lambda: np.maximum(head_ct(noise_hu=30)[0], -1024),  # air clipped where CT numbers end
        lambda: head_ct(fill=0.0, metal=False)[0] * (~head_ct()[1]["air"]),  # MR with a background set to zero
        lambda: head_ct(fill=-500.0)[0],
        lambda: -2000.0 - 100 * noise(),
    ],
)
def test_air_and_background_are_data(make):
    volume, notices = volume_from_image(image_of(make()), "scan")
    assert volume.mask.all() and notices == []


# --- how bright -----------------------------------------------------------------------------------------------------


def levels(array, parts):
    values = normalise(array, np.ones(array.shape, bool))
    assert values.dtype == np.float32 and values.min() >= 0 and values.max() <= np.float32(CLAMP)
    return {name: float(np.median(values[where])) for name, where in parts.items()}


@pytest.mark.parametrize("metal", [False, True])
def test_ct_keeps_soft_tissue_between_air_and_bone(metal):
    found = levels(*head_ct(metal=metal))
    assert found["air"] < 0.02 and 0.4 < found["soft"] < 0.6 and 0.9 < found["bone"] < 1.1


@pytest.mark.parametrize(("factor", "offset"), [(1.0, 0.0), (1e-4, 0.0), (30.0, -70_000.0), (1.0, 5000.0)])
def test_neither_scale_nor_offset_matters(factor, offset):
    array, parts = head_ct(metal=False)
    expected = levels(array, parts)
    found = levels((array.astype(np.float64) * factor + offset).astype(np.float32), parts)
    assert found == pytest.approx(expected, abs=0.02)


def test_the_field_of_view_does_not_matter():
    array, parts = head_ct(metal=False)
    wide = np.pad(array, 40, constant_values=-1000.0)
    wide += np.random.default_rng(1).normal(0, 10, wide.shape).astype(np.float32)
    found = levels(wide, {name: np.pad(where, 40, constant_values=False) for name, where in parts.items()})
    assert found == pytest.approx(levels(array, parts), abs=0.03)


def test_a_noisy_background_is_zero_on_average():
    rng = np.random.default_rng(2)
    tissue = ~head_ct()[1]["air"]
    array = np.hypot(200 * tissue + rng.normal(0, 8, tissue.shape), rng.normal(0, 8, tissue.shape))  # Rician
    values = normalise(array.astype(np.float32), np.ones(array.shape, bool))
    assert np.median(values[~tissue]) < 0.01 and 0.85 < np.median(values[tissue]) < 1.05


def test_a_scan_without_background_keeps_its_dark_tissue():
    array = np.random.default_rng(3).normal(500, 100, (20, 20, 20)).astype(np.float32)
    values = normalise(array, np.ones(array.shape, bool))
    assert (values == 0).mean() < 0.01 and (values == np.float32(CLAMP)).mean() < 0.01


def test_intensities_are_normalised_in_place():
    """New memory for a large scan takes longer than the arithmetic."""
    array = np.random.default_rng(4).normal(500, 100, (20, 20, 20)).astype(np.float32)
    array[0, 0, 0] = np.nan
    mask = np.isfinite(array)
    expected = normalise(array, mask)
    assert normalise(array, mask, out=array) is array
    np.testing.assert_array_equal(array, expected)


def test_a_small_bright_spot_is_enough():
    array = np.zeros((40, 40, 40), np.float32)
    array[18:20, 18:20, 18:20] = 3.0  # far less than the percentiles see
    values = normalise(array, np.ones(array.shape, bool))
    assert values[19, 19, 19] == 1.0 and values[0, 0, 0] == 0.0


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.float32, np.float64])
def test_every_pixel_type_is_taken(kind):
    array = (200 * noise()).astype(kind)
    volume, _ = volume_from_image(image_of(array), "scan")
    assert volume.data.shape == array.shape and 0.9 < float(volume.data.max()) <= CLAMP
