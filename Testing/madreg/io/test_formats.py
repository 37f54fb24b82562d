"""Files of every format that people have: read right, or refused in one sentence that names them and helps."""

import gzip
import os
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.errors import InputError
from madreg.image.geometry import Grid, apply
from madreg.io import memory
from madreg.io.images import open_image, read_image
from madreg.io.orthogonal_axes import straightened

MIRROR = np.diag([-1.0, -1.0, 1.0, 1.0])


def voxels(shape=(12, 20, 24), kind=np.int16, seed=0):
    return (1000 * np.random.default_rng(seed).random(shape)).astype(kind)


def image_of(array, spacing=(2.0, 2.5, 3.0), origin=(10.0, -20.0, 30.0)):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    return image


def refused(path):
    """The sentence with which a file is refused: it names the file and says what to do."""
    with pytest.raises(InputError) as caught:
        open_image(path)
    text = str(caught.value)
    assert str(path).partition(":")[0] in text and ": " in text and text.endswith(".") and "\n" not in text
    return text


def same(image, other):
    return (
        (sitk.GetArrayFromImage(image) == sitk.GetArrayFromImage(other)).all()
        and image.GetPixelID() == other.GetPixelID()
        and (Grid.of_image(image).matrix == Grid.of_image(other).matrix).all()
    )


# --- what ITK reads right is read the same --------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint32, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("compressed", [True, False])
def test_sound_files_are_read_as_itk_reads_them(tmp_path, odd_grids, suffix, kind, compressed):
    path = tmp_path / f"image{suffix}"
    sitk.WriteImage(
        odd_grids["left-handed"].as_image(voxels(odd_grids["left-handed"].shape, kind)), str(path), compressed
    )
    assert same(open_image(path)[0], sitk.ReadImage(str(path)))


@pytest.mark.parametrize(
    ("slope", "intercept"), [(2.0, 0.0), (0.37, -5.25), (0.0, 7.0), (1.0, 0.5), (np.nan, 0.0), (1.0, 0.0)]
)
@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.float32, np.float64])
def test_slopes_of_nifti_count_as_for_itk(tmp_path, slope, intercept, kind):
    path = tmp_path / "image.nii"
    sitk.WriteImage(image_of(voxels(kind=kind)), str(path))
    content = bytearray(path.read_bytes())
    content[112:120] = struct.pack("<2f", slope, intercept)
    path.write_bytes(content)
    assert same(open_image(path)[0], sitk.ReadImage(str(path)))


def test_slopes_beyond_float32(tmp_path):
    array = voxels()
    path = tmp_path / "scan.nii"
    sitk.WriteImage(image_of(array), str(path))
    content = bytearray(path.read_bytes())
    struct.pack_into("<2f", content, 112, 2.0**120, 0.0)
    path.write_bytes(content)
    found = sitk.GetArrayFromImage(read_image(path))
    assert found.dtype == np.float64 and (found == array * 2.0**120).all()


def test_a_nifti_vector_of_one_number_is_that_number(tmp_path):
    path = tmp_path / "scan.nii"
    sitk.WriteImage(image_of(voxels()), str(path))
    content = bytearray(path.read_bytes())
    struct.pack_into("<8h", content, 40, 5, 24, 20, 12, 1, 1, 1, 1)
    struct.pack_into("<h", content, 68, 1007)  # a vector
    path.write_bytes(content)
    assert same(read_image(path), image_of(voxels()))


def test_big_endian_nifti(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    array = voxels()
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    nibabel.save(nibabel.Nifti1Image(array.T, np.diag([2, 2.5, 3, 1]), header), tmp_path / "big.nii.gz")
    assert (sitk.GetArrayFromImage(read_image(tmp_path / "big.nii.gz")) == array).all()


def test_the_file_that_is_named_is_read(tmp_path):
    """ITK reads scan.nii where scan.nii.gz is asked for and both are there."""
    sitk.WriteImage(image_of(voxels(seed=1)), str(tmp_path / "scan.nii.gz"))
    sitk.WriteImage(image_of(voxels(seed=2)), str(tmp_path / "scan.nii"))
    assert (sitk.GetArrayFromImage(read_image(tmp_path / "scan.nii.gz")) == voxels(seed=1)).all()
    assert (sitk.GetArrayFromImage(read_image(tmp_path / "scan.nii")) == voxels(seed=2)).all()


@pytest.mark.parametrize(("name", "zipped"), [("plain.nii.gz", False), ("zipped.nii", True)])
def test_a_wrong_ending_does_not_matter(tmp_path, name, zipped):
    sitk.WriteImage(image_of(voxels()), str(tmp_path / "right.nii"))
    content = (tmp_path / "right.nii").read_bytes()
    (tmp_path / name).write_bytes(gzip.compress(content) if zipped else content)
    assert same(read_image(tmp_path / name), read_image(tmp_path / "right.nii"))


def test_gzip_in_several_members_is_one_file(tmp_path):
    """As bgzip and parallel compressors write it."""
    sitk.WriteImage(image_of(voxels()), str(tmp_path / "plain.nii"))
    content = (tmp_path / "plain.nii").read_bytes()
    parts = [content[n : n + 1000] for n in range(0, len(content), 1000)]
    (tmp_path / "scan.nii.gz").write_bytes(b"".join(gzip.compress(part) for part in parts))
    assert same(read_image(tmp_path / "scan.nii.gz"), read_image(tmp_path / "plain.nii"))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_2(tmp_path, odd_grids, suffix):
    """Which builds of ITK do not read."""
    nibabel = pytest.importorskip("nibabel")
    grid = odd_grids["oblique"]
    array = voxels(grid.shape)
    nibabel.save(nibabel.Nifti2Image(array.T, MIRROR @ grid.matrix), tmp_path / f"scan{suffix}")
    image = read_image(tmp_path / f"scan{suffix}")
    assert (sitk.GetArrayFromImage(image) == array).all()
    assert np.abs(Grid.of_image(image).corners - grid.corners).max() < 1e-3


def test_pairs_of_header_and_voxels(tmp_path):
    sitk.WriteImage(image_of(voxels()), str(tmp_path / "scan.hdr"))
    assert same(read_image(tmp_path / "scan.hdr"), sitk.ReadImage(str(tmp_path / "scan.hdr")))
    assert same(read_image(tmp_path / "scan.img"), sitk.ReadImage(str(tmp_path / "scan.hdr")))
    content = (tmp_path / "scan.img").read_bytes()
    (tmp_path / "scan.img").write_bytes(content[:-2])
    assert "damaged" in refused(tmp_path / "scan.hdr")
    (tmp_path / "scan.img").unlink()
    assert "one of a pair" in refused(tmp_path / "scan.hdr")


def paired(path):
    """A NIfTI file as a pair of header and voxels; the path of the header."""
    content = path.read_bytes()
    header = path.with_suffix(".hdr")
    header.write_bytes(content[:108] + struct.pack("<f", 0) + content[112:344] + b"ni1\0" + content[348:352])
    path.with_suffix(".img").write_bytes(content[352:])
    path.unlink()
    return header


def test_pairs_are_read_as_one_file_is(tmp_path):
    path = sheared_nifti(tmp_path / "shear.nii", None, MIRROR @ sheared()[0], (0, 1))
    image, source = open_image(paired(path))
    assert_in_place(image)
    assert source.format == "NIfTI" and "sheared by 14 degrees" in source.notices[0]
    path = nifti_with(tmp_path / "zero.nii", {80: struct.pack("<f", 0)})
    assert "no voxel size" in refused(paired(path))


def test_an_analyze_pair_has_no_orientation(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    nibabel.save(nibabel.AnalyzeImage(voxels().T, np.diag([2.0, 2, 2, 1])), tmp_path / "scan.img")
    _, source = open_image(tmp_path / "scan.img")
    assert source.format == "Analyze" and "does not say how it is oriented" in source.notices[0]


def test_compressed_pairs(tmp_path):
    sitk.WriteImage(image_of(voxels()), str(tmp_path / "scan.img.gz"), True)
    assert {path.name for path in tmp_path.iterdir()} == {"scan.hdr.gz", "scan.img.gz"}
    for name in ("scan.img.gz", "scan.hdr.gz"):
        assert same(read_image(tmp_path / name), image_of(voxels()))
    sitk.WriteImage(image_of(voxels() // 2), str(tmp_path / "scan.img"))  # which ITK would read
    assert "is there both as scan.hdr and as scan.hdr.gz" in refused(tmp_path / "scan.img.gz")


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_data_files_have_names_in_any_script(tmp_path, suffix):
    path = tmp_path / f"Müller 日本{suffix}"
    sitk.WriteImage(image_of(voxels()), str(path))
    assert len(list(tmp_path.iterdir())) == 2
    assert (sitk.GetArrayFromImage(read_image(path)) == voxels()).all()


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_voxels_spread_over_files(tmp_path, suffix):
    array = voxels()
    sitk.WriteImage(image_of(array), str(tmp_path / f"scan{suffix}"), False)
    for k, plane in enumerate(array):
        (tmp_path / f"{k:02d}.raw").write_bytes(plane.tobytes())
    text = (tmp_path / f"scan{suffix}").read_text()
    key = "ElementDataFile = " if suffix == ".mhd" else "data file: "
    names = "\n".join(f"{k:02d}.raw" for k in range(len(array)))
    (tmp_path / f"scan{suffix}").write_text(re.sub(rf"^{key}.*$", f"{key}LIST\n{names}", text, flags=re.MULTILINE))
    assert (sitk.GetArrayFromImage(read_image(tmp_path / f"scan{suffix}")) == array).all()
    (tmp_path / "05.raw").unlink()
    assert "05.raw" in refused(tmp_path / f"scan{suffix}")


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_compressed_voxels_spread_over_files_are_compared_with_their_check_sums(tmp_path, suffix):
    array = voxels()
    sitk.WriteImage(image_of(array), str(tmp_path / f"scan{suffix}"), True)
    for k, plane in enumerate(array):
        compress = zlib.compress if suffix == ".mhd" else gzip.compress
        (tmp_path / f"{k:02d}.gz").write_bytes(compress(plane.tobytes()))
    text = (tmp_path / f"scan{suffix}").read_text()
    key = "ElementDataFile = " if suffix == ".mhd" else "data file: "
    names = "\n".join(f"{k:02d}.gz" for k in range(len(array)))
    text = re.sub(r"^CompressedDataSize.*\n", "", text, flags=re.MULTILINE)
    (tmp_path / f"scan{suffix}").write_text(re.sub(rf"^{key}.*$", f"{key}LIST\n{names}", text, flags=re.MULTILINE))
    assert (sitk.GetArrayFromImage(read_image(tmp_path / f"scan{suffix}")) == array).all()
    content = (tmp_path / "05.gz").read_bytes()
    for damaged in (content[:-3], content[:-9] + bytes([content[-9] ^ 8]) + content[-8:]):
        (tmp_path / "05.gz").write_bytes(damaged)
        assert "damaged" in refused(tmp_path / f"scan{suffix}")


# --- damage ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_no_flipped_bit_in_compressed_voxels_is_taken(tmp_path, suffix):
    rng = np.random.default_rng(4)
    path = tmp_path / f"scan{suffix}"
    smooth = sitk.SmoothingRecursiveGaussian(image_of(voxels((24, 40, 48))), 4.0)
    sitk.WriteImage(sitk.Cast(smooth, sitk.sitkInt16), str(path), True)
    sound = path.read_bytes()
    start = 20 if suffix == ".nii.gz" else sound.rindex(b"\n", 0, 600) + 1
    for _ in range(40):
        content = bytearray(sound)
        content[rng.integers(start, len(sound) - 8)] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        assert "damaged" in refused(path)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha", ".vtk", ".gipl"])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("compressed", [True, False])
def test_no_file_that_is_cut_off_is_taken(tmp_path, suffix, share, compressed):
    path = tmp_path / f"scan{suffix}"
    sitk.WriteImage(image_of(voxels()), str(path), compressed)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert "damaged or incomplete" in refused(path)


def nifti_with(path, changes, zipped=False):
    """A NIfTI file whose header has other bytes at some offsets."""
    sitk.WriteImage(image_of(voxels()), str(path.with_suffix(".plain.nii")))
    content = bytearray(path.with_suffix(".plain.nii").read_bytes())
    path.with_suffix(".plain.nii").unlink()
    for offset, value in changes.items():
        content[offset : offset + len(value)] = value
    path.write_bytes(gzip.compress(bytes(content)) if zipped else content)
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({108: struct.pack("<f", np.nan)}, "impossible place"),
        ({108: struct.pack("<f", -352.0)}, "impossible place"),
        ({108: struct.pack("<f", 1e9)}, "damaged or incomplete"),
        ({72: struct.pack("<h", 8)}, "contradicts itself"),
        ({70: struct.pack("<h", 77)}, "contradicts itself"),
        ({42: struct.pack("<h", -24)}, "damaged"),
        ({40: struct.pack("<h", 9)}, "damaged"),
        ({280: struct.pack("<f", np.inf)}, "sform that holds no numbers"),
        ({268: struct.pack("<f", np.nan)}, "qform that holds no numbers"),
        ({80: struct.pack("<f", 80.0)}, "outside of 0.0005 to 50 mm"),
        ({268: struct.pack("<f", 1e30), 292: struct.pack("<f", 1e30)}, "from the origin"),
    ],
)
def test_impossible_headers_are_refused(tmp_path, changes, words):
    assert words in refused(nifti_with(tmp_path / "scan.nii", changes))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("NDims = -3", "damaged"),
        ("NDims = 300", "damaged"),
        ("DimSize = 24 20 -12", "damaged"),
        ("DimSize = 24 20", "damaged"),
        ("ElementSpacing = 1 -1 1", "give positive sizes"),
        ("ElementSpacing = 1 nan 1", "no number"),
        ("TransformMatrix = 1 0 0 0 inf 0 0 0 1", "no number"),
        ("TransformMatrix = 1 0 0 1 0 0 0 0 1", "cannot be read|one plane"),
        ("TransformMatrix = 1 0 0 0", "damaged"),
        ("ElementType = MET_STRING", "scalar volume"),
        ("ElementNumberOfChannels = 3", "more than one number per voxel"),
        ("ElementNumberOfChannels = -1", "damaged"),
        ("ElementDataFile = ../elsewhere.raw", "outside its folder"),
        ("ElementDataFile = /etc/passwd", "outside its folder"),
        ("ElementDataFile = C:\\\\secret.raw", "outside its folder"),
        ("ElementDataFile = missing.raw", "not there"),
        ("ElementDataFile = LIST", "damaged|cannot be read"),
    ],
)
def test_impossible_metaimages_are_refused(tmp_path, line, words):
    path = tmp_path / "scan.mhd"
    sitk.WriteImage(image_of(voxels()), str(path))
    key = line.partition(" = ")[0]
    (tmp_path.parent / "elsewhere.raw").write_bytes(bytes(2 * 12 * 20 * 24))
    text = path.read_text()
    changed = re.sub(rf"^{key} = .*$", line, text, flags=re.MULTILINE)
    path.write_text(changed if changed != text else text.replace("ElementDataFile", line + "\nElementDataFile", 1))
    assert re.search(words, refused(path))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("dimension: -3", "damaged"),
        ("sizes: 24 20", "damaged"),
        ("sizes: 24 20 0", "damaged"),
        ("type: block", "scalar volume"),
        ("space directions: (nan,0,0) (0,1,0) (0,0,1)", "cannot be read|no number"),
        ("space directions: (1,0,0) (2,0,0) (0,0,1)", "cannot be read|one plane"),
        ("data file: ../elsewhere.raw", "outside its folder"),
        ("data file: /etc/passwd", "outside its folder"),
        ("data file: %d.raw 1 12 1", "not there"),
    ],
)
def test_impossible_nrrds_are_refused(tmp_path, line, words):
    path = tmp_path / "scan.nhdr"
    sitk.WriteImage(image_of(voxels()), str(path), False)
    key = line.partition(":")[0]
    (tmp_path.parent / "elsewhere.raw").write_bytes(bytes(2 * 12 * 20 * 24))
    path.write_text(re.sub(rf"^{key}: .*$", line, path.read_text(), flags=re.MULTILINE))
    assert re.search(words, refused(path))


@pytest.mark.parametrize("place", [0, 1, 3])
@pytest.mark.parametrize("kind", ["list", "vector", "scalar"])
@pytest.mark.parametrize("encoding", ["raw", "gzip", "ascii"])
def test_an_nrrd_axis_of_one_volume_does_not_matter(tmp_path, place, kind, encoding):
    """As of a sequence of one volume, ``list domain domain domain``."""
    array = voxels()

    def with_axis(values, one):
        return " ".join(map(str, [*values[:place], one, *values[place:]]))

    axes = with_axis(["(2,0,0)", "(0,2.5,0)", "(0,0,3)"], "none")
    header = [
        *("NRRD0005", "type: short", "dimension: 4", "space: left-posterior-superior"),
        f"sizes: {with_axis(array.shape[::-1], 1)}",
        *(f"space directions: {axes}", f"kinds: {with_axis(['domain'] * 3, kind)}"),
        *("endian: little", f"encoding: {encoding}", "space origin: (10,-20,30)", "", ""),
    ]
    data = array.astype("<i2").tobytes()
    path = tmp_path / "one.nrrd"
    text = " ".join(map(str, array.ravel())).encode()
    path.write_bytes("\n".join(header).encode() + {"raw": data, "gzip": gzip.compress(data), "ascii": text}[encoding])
    assert same(read_image(path), image_of(array))


@pytest.mark.skipif(os.name == "nt", reason="needs a locale of POSIX")
def test_a_data_file_whose_name_the_file_system_cannot_have(tmp_path):
    """As of a header with a flipped bit, where names are ASCII."""
    sitk.WriteImage(image_of(voxels()), str(tmp_path / "scan.mha"))
    content = (tmp_path / "scan.mha").read_bytes()
    (tmp_path / "scan.mha").write_bytes(content.replace(b"= LOCAL", b"= LOCA\xcc"))
    code = "import sys\nfrom madreg.io.images import open_image\nopen_image(sys.argv[1])"
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **ascii_only}
    command = [sys.executable, "-c", code, str(tmp_path / "scan.mha")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "InputError: " in done.stderr and "data file that is not there (LOCA\\xcc)" in done.stderr


def test_a_nan_offset_in_a_compressed_file(tmp_path):
    assert "impossible place" in refused(nifti_with(tmp_path / "a.nii.gz", {108: struct.pack("<f", np.nan)}, True))


# --- sizes ----------------------------------------------------------------------------------------------------------


def peak_megabytes(path):
    """Largest resident memory of a process that reads a file, MB, less what it takes to import."""
    code = (
        "import resource, sys\nfrom madreg.io.images import open_image\nfrom madreg.errors import InputError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: open_image(sys.argv[1])\nexcept InputError as error: print(error, file=sys.stderr)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code, path], env=environment, capture_output=True, text=True)
    return float(done.stdout), done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures memory in Linux's units")
def test_a_small_header_before_much_data_is_no_bomb(tmp_path):
    sitk.WriteImage(image_of(voxels()), str(tmp_path / "plain.nii"))
    bomb = zlib.compressobj(1, wbits=31)
    with (tmp_path / "bomb.nii.gz").open("wb") as file:
        file.write(bomb.compress((tmp_path / "plain.nii").read_bytes()))
        for _ in range(8):  # 400 MB
            file.write(bomb.compress(bytes(50 << 20)))
        file.write(bomb.flush())
    used, message = peak_megabytes(tmp_path / "bomb.nii.gz")
    assert used < 100 and "more data than its header declares" in message


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures memory in Linux's units")
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mha", ".nrrd"])
def test_a_large_header_before_little_data_takes_no_memory(tmp_path, suffix):
    path = tmp_path / f"scan{suffix}"
    sitk.WriteImage(image_of(voxels()), str(path), True)
    content = path.read_bytes()
    if suffix == ".nii":
        content = content[:42] + struct.pack("<3h", 3000, 3000, 3000) + content[48:]
    elif suffix == ".nii.gz":
        plain = gzip.decompress(content)
        content = gzip.compress(plain[:42] + struct.pack("<3h", 3000, 3000, 3000) + plain[48:])
    else:
        content = content.replace(b"24 20 12", b"3000 3000 3000")
    path.write_bytes(content)
    used, message = peak_megabytes(path)
    assert used < 100 and ("damaged" in message or "memory" in message)


def test_what_does_not_fit_into_memory_is_refused(tmp_path, monkeypatch):
    sitk.WriteImage(image_of(voxels()), str(tmp_path / "scan.nii.gz"))
    monkeypatch.setattr(memory, "available_bytes", lambda: 12 * 20 * 24 * 11)
    assert "of memory are needed" in refused(tmp_path / "scan.nii.gz")
    monkeypatch.setattr(memory, "available_bytes", lambda: 12 * 20 * 24 * 13)
    open_image(tmp_path / "scan.nii.gz")


def test_memory_is_known_here():
    assert memory.available_bytes() is None or 1 << 26 < memory.available_bytes() < 1 << 60


@pytest.mark.parametrize("micrometres", [0.6, 5.0])
def test_microscopes_are_read_and_small_scans_are_named(tmp_path, micrometres):
    path = tmp_path / "small.nii.gz"
    sitk.WriteImage(image_of(voxels(), (micrometres / 1000,) * 3), str(path))
    image, source = open_image(path)
    assert image.GetSpacing() == pytest.approx((micrometres / 1000,) * 3, rel=1e-5)
    assert len(source.notices) == 1 and "is in meters, multiply" in source.notices[0]


def test_voxels_of_80_mm_are_explained(tmp_path):
    sitk.WriteImage(image_of(voxels(), (80.0,) * 3), str(tmp_path / "scan.mha"))
    assert "micrometers, divide spacing and origin by 1000" in refused(tmp_path / "scan.mha")


@pytest.mark.parametrize(
    ("spacing", "unit"),
    [((30.0, 30.0, 60.0), "micrometers, divide"), ((0.0004, 0.0004, 0.001), "meters, multiply")],
)
def test_another_unit_is_named_also_where_only_some_sides_of_a_voxel_are_out_of_range(tmp_path, spacing, unit):
    sitk.WriteImage(image_of(voxels(), spacing), str(tmp_path / "scan.mha"))
    assert f"is in {unit} spacing and origin by 1000" in refused(tmp_path / "scan.mha")


# --- shear ----------------------------------------------------------------------------------------------------------


def blob(points):
    x, y, z = np.moveaxis(points, -1, 0)
    return 500 + 200 * np.sin(x / 11) + 150 * np.sin(y / 9 + 1) + 150 * np.sin(z / 13 + 2)


def sheared(size=(40, 36, 30)):
    """4x4 LPS matrix with 14 degrees between its second and third axis, and voxels of :func:`blob` on it."""
    matrix = np.array([[2.0, 0, 0, 5], [0, 1.8, 0.6, -9], [0, 0, 2.4, 11], [0, 0, 0, 1]])
    index = np.stack(np.meshgrid(*[np.arange(n) for n in size], indexing="ij"), axis=-1)
    return matrix, blob(apply(matrix, index)).T.astype(np.float32)


def assert_in_place(image):
    grid = Grid.of_image(image)
    array = sitk.GetArrayFromImage(image)
    data = np.isfinite(array)
    assert np.abs(grid.matrix[:3, :3].T @ grid.matrix[:3, :3] - np.diag(grid.spacing**2)).max() < 1e-5
    assert data.sum() > 0.85 * 40 * 36 * 30
    assert np.abs(array - blob(grid.points().numpy().astype(float)))[data].max() < 10  # 0.5 mm


def sheared_nifti(path, qform, sform, codes, units=0):
    """A NIfTI file with given RAS matrices, in the units of its header."""
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(sheared()[1].T, None)
    image.header["sform_code"], image.header["qform_code"] = codes[1], codes[0]
    if qform is not None:
        image.header.set_qform(qform, codes[0])
    image.header["sform_code"] = codes[1]
    for row, key in zip(sform, ("srow_x", "srow_y", "srow_z"), strict=False):
        image.header[key] = row
    image.header["pixdim"][1:4] = np.linalg.norm(sform[:3, :3], axis=0)
    image.header["xyzt_units"] = units
    with path.open("wb") as file:
        image.header.write_to(file)
        file.write(sheared()[1].tobytes())
    return path


def test_a_sheared_sform_alone_is_resampled_onto_orthogonal_axes(tmp_path):
    path = sheared_nifti(tmp_path / "shear.nii", None, MIRROR @ sheared()[0], (0, 1))
    image, source = open_image(path)
    assert_in_place(image)
    assert len(source.notices) == 1 and "sheared by 14 degrees" in source.notices[0]


def test_a_sheared_sform_beside_a_qform_is_said(tmp_path):
    sform = MIRROR @ sheared()[0]
    qform = sform.copy()
    qform[1, 2] = 0
    path = sheared_nifti(tmp_path / "shear.nii", qform, sform, (1, 1))
    _, source = open_image(path)
    assert len(source.notices) == 1 and "its sform is sheared" in source.notices[0]
    # 0.6 mm a slice across, and the qform keeps the length of the third axis, 2.47 mm, along which the sform has 2.4
    assert f"up to {29 * np.hypot(0.6, np.hypot(0.6, 2.4) - 2.4):.3g} mm" in source.notices[0]


def test_a_qform_and_a_sform_far_apart_are_said(tmp_path):
    matrix = MIRROR @ np.diag([2.0, 2.0, 2.0, 1.0])
    other = matrix.copy()
    other[:3, 3] += (60, 0, 40)
    path = sheared_nifti(tmp_path / "apart.nii", matrix, other, (1, 2))
    _, source = open_image(path)
    assert len(source.notices) == 1 and "72.1 mm apart" in source.notices[0]


@pytest.mark.parametrize(("units", "mm"), [(1, 1000.0), (3, 0.001)])
def test_units_of_a_nifti_count_for_a_sheared_sform(tmp_path, units, mm):
    sform = np.diag([1 / mm, 1 / mm, 1 / mm, 1]) @ MIRROR @ sheared()[0]
    image, _ = open_image(sheared_nifti(tmp_path / "shear.nii", None, sform, (0, 1), units))
    assert_in_place(image)


@pytest.mark.parametrize(("units", "mm"), [(1, 1000.0), (3, 0.001)])
@pytest.mark.parametrize(("shift", "words"), [(0.01, None), (40.0, "40 mm apart; the sform was used")])
def test_distances_of_a_qform_and_a_sform_are_in_mm(tmp_path, units, mm, shift, words):
    sform = MIRROR @ np.diag([2.0, 2.0, 2.0, 1.0])
    qform = sform.copy()
    qform[0, 3] += shift
    to_units = np.diag([1 / mm, 1 / mm, 1 / mm, 1])
    path = sheared_nifti(tmp_path / "apart.nii", to_units @ qform, to_units @ sform, (1, 1), units)
    image, source = open_image(path)
    assert image.GetOrigin() == pytest.approx((0, 0, 0), abs=1e-3)
    assert [words in notice for notice in source.notices] == ([] if words is None else [True])


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_sheared_axes_are_resampled(tmp_path, suffix):
    _matrix, array = sheared()
    path = tmp_path / f"scan{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    content = path.read_bytes()
    if suffix == ".nrrd":
        content = re.sub(rb"space directions: .*", b"space directions: (2,0,0) (0,1.8,0) (0,0.6,2.4)", content)
        content = re.sub(rb"space origin: .*", b"space origin: (5,-9,11)", content)
    else:
        length = np.hypot(0.6, 2.4)
        row = f"1 0 0 0 1 0 0 {0.6 / length:.12f} {2.4 / length:.12f}".encode()
        content = re.sub(rb"TransformMatrix = .*", b"TransformMatrix = " + row, content)
        content = re.sub(rb"Offset = .*", b"Offset = 5 -9 11", content)
        content = re.sub(rb"ElementSpacing = .*", f"ElementSpacing = 2 1.8 {length:.12f}".encode(), content)
    path.write_bytes(content)
    image, source = open_image(path)
    assert_in_place(image)
    assert len(source.notices) == 1 and "sheared by 14 degrees" in source.notices[0]


def test_sheared_axes_keep_numbers_that_float32_does_not_hold():
    matrix, array = sheared()
    large, _ = straightened(array.astype(np.float64) * 1e60, matrix, "scan")
    small, _ = straightened(array, matrix, "scan")
    assert (large.GetPixelID(), small.GetPixelID()) == (sitk.sitkFloat64, sitk.sitkFloat32)
    assert_in_place(large * 1e-60)


# --- other formats --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".vtk", ".gipl", ".h5"])
def test_formats_of_itk_keep_voxels_and_place(tmp_path, suffix):
    path = tmp_path / f"scan{suffix}"
    scan = image_of(voxels())
    sitk.WriteImage(scan, str(path))
    assert same(open_image(path)[0], scan)


@pytest.mark.parametrize(("suffix", "is_noticed"), [(".vtk", True), (".gipl", True), (".h5", False)])
def test_a_format_without_orientation_is_noticed(tmp_path, suffix, is_noticed):
    """An oblique scan that was saved so is read as if it were upright."""
    path, scan = tmp_path / f"scan{suffix}", image_of(voxels())
    scan.SetDirection((0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    sitk.WriteImage(scan, str(path))
    image, source = open_image(path)
    assert (image.GetDirection() != scan.GetDirection()) == is_noticed
    assert any("does not say how it is oriented" in one for one in source.notices) == is_noticed


@pytest.mark.parametrize(
    ("name", "words"),
    [("scan.tif", "distance between its slices"), ("scan.png", "distance between its slices"), ("scan.mrc", "MRC")],
)
def test_pictures_and_formats_that_may_be_cut_off_are_refused(tmp_path, name, words):
    """ITK reads a cut TIFF as a shorter stack, takes 1 mm for the distance of its slices, and fills up a cut MRC."""
    scan = image_of(voxels())
    sitk.WriteImage(sitk.Cast(scan[:, :, 0] if name.endswith("png") else scan, sitk.sitkUInt8), str(tmp_path / name))
    text = refused(tmp_path / name)
    assert words in text and "NRRD or NIfTI" in text


def test_a_text_of_too_few_numbers_is_refused(tmp_path):
    numbers = " ".join(map(str, range(8 * 9 * 10)))
    text = (
        "# vtk DataFile Version 3.0\nx\nASCII\nDATASET STRUCTURED_POINTS\nDIMENSIONS 10 9 8\nSPACING 2 2 2\n"
        f"ORIGIN 0 0 0\nPOINT_DATA 720\nSCALARS s int 1\nLOOKUP_TABLE default\n{numbers}\n"
    )
    path = tmp_path / "scan.vtk"
    path.write_text(text)
    assert sitk.GetArrayFromImage(read_image(path)).ravel().tolist() == list(range(720))
    path.write_text(text[:-5])
    assert "damaged" in refused(path)


def test_a_damaged_check_sum_of_afni_is_found(tmp_path):
    pytest.importorskip("nibabel")
    array = voxels()
    attributes = {
        "string-attribute BYTEORDER_STRING": "'LSB_FIRST~",
        "string-attribute TYPESTRING": "'3DIM_HEAD_ANAT~",
        "integer-attribute DATASET_RANK": "3 1 0 0 0 0 0 0",
        "integer-attribute DATASET_DIMENSIONS": " ".join(map(str, array.shape[::-1])) + " 0 0",
        "integer-attribute BRICK_TYPES": "1",
        "float-attribute BRICK_FLOAT_FACS": "0",
        "integer-attribute ORIENT_SPECIFIC": "0 3 4",
        "float-attribute ORIGIN": "0 0 0",
        "float-attribute DELTA": "2 2 3",
        "float-attribute IJK_TO_DICOM_REAL": "2 0 0 0 0 2 0 0 0 0 3 0",
    }
    head = ""
    for key, value in attributes.items():
        kind, name = key.split()
        count = len(value) - 1 if kind == "string-attribute" else len(value.split())
        head += f"type = {kind}\nname = {name}\ncount = {count}\n{value}\n\n"
    (tmp_path / "scan+orig.HEAD").write_text(head.rstrip() + "\n")
    content = gzip.compress(array.astype("<i2").tobytes())
    voxel_file = tmp_path / "scan+orig.BRIK.gz"
    voxel_file.write_bytes(content)
    assert (sitk.GetArrayFromImage(read_image(tmp_path / "scan+orig.HEAD")) == array).all()
    voxel_file.write_bytes(content[:-6] + bytes([content[-6] ^ 1]) + content[-5:])
    assert "damaged" in refused(tmp_path / "scan+orig.HEAD")


def test_minc_is_where_nibabel_says(tmp_path):
    """Its world is RAS, which ITK takes for LPS."""
    nibabel = pytest.importorskip("nibabel")
    pytest.importorskip("h5py")
    path = tmp_path / "scan.mnc"
    sitk.WriteImage(image_of(voxels()), str(path))
    loaded = nibabel.load(path)
    image = read_image(path)
    for index in ((0, 0, 0), (5, 11, 7)):
        k, j, i = index
        expected = MIRROR @ loaded.affine @ [*index, 1]
        assert image.TransformIndexToPhysicalPoint((i, j, k)) == pytest.approx(expected[:3])


def test_minc_is_converted_to_lps(tmp_path):
    """By the bytes of the file: its x counts from the patient's left to the right."""
    path = tmp_path / "scan.mnc"
    sitk.WriteImage(image_of(voxels(), origin=(123.25, -77.5, 30.0)), str(path))
    content = path.read_bytes()
    assert struct.pack("<d", 123.25) in content and struct.pack("<d", -77.5) in content  # starts along x and y, RAS
    assert read_image(path).GetOrigin() == pytest.approx((-123.25, 77.5, 30.0))


@pytest.mark.parametrize("suffix", [".mgz", ".mgh"])
def test_freesurfer_volumes(tmp_path, odd_grids, suffix):
    nibabel = pytest.importorskip("nibabel")
    grid = odd_grids["oblique"]
    array = voxels(grid.shape)
    nibabel.save(nibabel.MGHImage(array.T, MIRROR @ grid.matrix), tmp_path / f"scan{suffix}")
    image, source = open_image(tmp_path / f"scan{suffix}")
    assert (sitk.GetArrayFromImage(image) == array).all() and source.format == "FreeSurfer"
    assert np.abs(Grid.of_image(image).corners - grid.corners).max() < 1e-3


def test_freesurfer_volumes_that_are_damaged(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    path = tmp_path / "scan.mgz"
    nibabel.save(nibabel.MGHImage(voxels(), np.eye(4)), path)
    sound = path.read_bytes()
    path.write_bytes(sound[: len(sound) // 2])
    assert "damaged" in refused(path)
    path.write_bytes(gzip.compress(gzip.decompress(sound)[:4] + struct.pack(">3i", 9000, 9000, 9000) + b"\0" * 300))
    assert re.search("damaged|memory", refused(path))


def test_several_volumes_of_freesurfer_are_refused_as_such(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    nibabel.save(nibabel.MGHImage(np.zeros((12, 12, 12, 3), np.int16), np.eye(4)), tmp_path / "scan.mgz")
    assert "4D series" in refused(tmp_path / "scan.mgz")


def test_par_without_rec_says_so(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    sound = Path(nibabel.__file__).parent / "tests/data/T1.PAR"
    if not sound.exists():
        pytest.skip("nibabel without its test data")
    (tmp_path / "scan.PAR").write_bytes(sound.read_bytes())
    text = refused(tmp_path / "scan.PAR")
    assert "scan.REC beside it" in text


def test_without_nibabel_its_formats_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr("madreg.io.foreign.find_spec", lambda name: None)
    (tmp_path / "scan.mgz").write_bytes(b"anything")
    assert "pip install 'madreg[formats]'" in refused(tmp_path / "scan.mgz")


def test_archives_say_unpack(tmp_path):
    with zipfile.ZipFile(tmp_path / "scan.zip", "w") as archive:
        archive.writestr("a.dcm", b"x")
    assert "unpack it" in refused(tmp_path / "scan.zip")
    (tmp_path / "scan.nrrd.gz").write_bytes(gzip.compress(b"NRRD0004"))
    assert "unpack it" in refused(tmp_path / "scan.nrrd.gz")
    (tmp_path / "scan.REC").write_bytes(b"\0" * 100)
    assert ".PAR" in refused(tmp_path / "scan.REC")


@pytest.mark.usefixtures("started_readers")
def test_a_reader_that_crashes_ends_in_a_sentence(tmp_path):
    """Damaged HDF5 ends the process that reads it, or is refused by it; never this one."""
    path = tmp_path / "scan.h5"
    sitk.WriteImage(image_of(voxels()), str(path))
    sound = path.read_bytes()
    for start in (100, 600, 2000):
        content = bytearray(sound)
        content[start : start + 200] = np.random.default_rng(start).bytes(200)
        path.write_bytes(content)
        assert re.search("cannot be read|cannot be opened", refused(path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")
def test_pipes_links_and_names(tmp_path):
    os.mkfifo(tmp_path / "pipe.nii")
    assert "pipe" in refused(tmp_path / "pipe.nii")
    (tmp_path / "loop.nii").symlink_to(tmp_path / "loop.nii")
    assert re.search("loop|symbolic", refused(tmp_path / "loop.nii").lower())
    with pytest.raises(InputError, match="does not exist"):
        open_image(tmp_path / ("long" * 100 + ".nii"))
    with pytest.raises(InputError, match="no path"):
        open_image("a\0b.nii")
    with pytest.raises(InputError, match="no path"):
        open_image("")
    assert "leave the volume" in refused(f"{nifti_with(tmp_path / 'scan.nii', {})}:3")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems' names are UTF-8")
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha", ".vtk"])
def test_names_that_are_not_utf8(tmp_path, suffix):
    scan = image_of(voxels())
    sitk.WriteImage(scan, str(tmp_path / f"plain{suffix}"))
    name = os.fsencode(tmp_path) + b"/sc\xe4n" + suffix.encode()
    os.rename(tmp_path / f"plain{suffix}", name)
    image, source = open_image(os.fsdecode(name))
    assert same(image, scan)
    source.path.encode()  # may be printed


def without_lines(path, words):
    """The file without the lines of its header that begin with one of the words."""
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if not line.startswith(words)))


@pytest.mark.parametrize(
    ("suffix", "words"),
    [(".nrrd", (b"space directions", b"space origin")), (".mha", (b"ElementSpacing", b"ElementSize"))],
)
def test_a_header_without_voxel_size_is_said(tmp_path, suffix, words):
    path = tmp_path / f"scan{suffix}"
    sitk.WriteImage(image_of(voxels()), str(path))
    assert open_image(path)[1].notices == ()
    without_lines(path, words)
    image, source = open_image(path)
    assert image.GetSpacing() == (1, 1, 1)
    (notice,) = source.notices
    assert notice.startswith(f"{path} has no voxel size in its header, and 1 mm was taken")


def test_a_nifti_without_orientation_is_said(tmp_path):
    path = nifti_with(tmp_path / "scan.nii", {252: struct.pack("<2h", 0, 0)})
    (notice,) = open_image(path)[1].notices
    assert "scan.nii: its header does not say how it is oriented" in notice
