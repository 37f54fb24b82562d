"""Segmentations on the grid of an image."""

import gzip
import struct

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.errors import InputError
from madreg.io.images import open_image
from madreg.io.reading import read_scan, volume_from_image
from madreg.io.segmentation import read_segmentation


@pytest.fixture
def image(odd_grids):
    return odd_grids["oblique"].as_image(np.zeros(odd_grids["oblique"].shape, np.float32))


@pytest.fixture
def labels(odd_grids):
    values = np.zeros(odd_grids["oblique"].shape, np.int16)
    values[5:9, 5:10, 5:10], values[15:20, 5:10, 5:10] = 2, 7
    return odd_grids["oblique"].as_image(values)


@pytest.mark.parametrize("ending", ["nii.gz", "nrrd", "mha"])
def test_labels_and_their_numbers(tmp_path, image, labels, ending):
    path = tmp_path / f"labels.{ending}"
    sitk.WriteImage(labels, str(path))
    found = read_segmentation(path, image, "scan")
    assert found.names == {2: "Structure 2", 7: "Structure 7"}
    assert (found.labels == sitk.GetArrayFromImage(labels)).all()


def test_the_names_of_slicer(tmp_path, image, labels):
    for number, (name, value) in enumerate([("Left eye", "7"), ("Stem: upper", "2"), ("Not there", "9")]):
        labels.SetMetaData(f"Segment{number}_Name", name)
        labels.SetMetaData(f"Segment{number}_LabelValue", value)
    path = tmp_path / "labels.seg.nrrd"
    sitk.WriteImage(labels, str(path))
    assert read_segmentation(path, image, "scan").names == {2: "Stem: upper", 7: "Left eye"}


def sheared(values, path):
    """Voxels (k, j, i) in a file whose second and third axis are not orthogonal."""
    sitk.WriteImage(sitk.GetImageFromArray(values), str(path))
    content = bytearray(path.read_bytes())
    if path.suffix == ".nii":
        content[252:254] = struct.pack("<h", 0)  # no qform
        content[304:308] = struct.pack("<f", 0.3)
        path.write_bytes(content)
    else:
        path.write_bytes(content.replace(b"(1,0,0) (0,1,0) (0,0,1)", b"(1,0,0) (0,1,0) (0,0.3,1)"))
    return path


@pytest.mark.parametrize("ending", ["nii", "nrrd"])
def test_labels_on_sheared_axes_stay_whole_numbers_where_they_are(tmp_path, labels, ending):
    values = sitk.GetArrayFromImage(labels)
    noise = np.random.default_rng(0).normal(size=values.shape).astype(np.float32)
    scan = sheared(noise, tmp_path / f"scan.{ending}")
    path = sheared(values, tmp_path / f"labels.{ending}")
    found = read_segmentation(path, open_image(scan)[0], "scan")
    assert found.names == {2: "Structure 2", 7: "Structure 7"}
    for label in (2, 7):
        assert (found.labels == label).sum() == pytest.approx((values == label).sum(), rel=0.05)
    assert read_scan(scan, path).mask.sum() == pytest.approx((values != 0).sum(), rel=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda labels: labels * 0, "is empty"),
        (lambda labels: labels[1:], "voxels and the image"),
        (lambda labels: sitk.GetImageFromArray(sitk.GetArrayFromImage(labels)), "mm off the image"),
        (lambda labels: sitk.Cast(labels, sitk.sitkFloat32) * 0.3, "holds numbers with decimals"),
    ],
)
def test_what_is_no_segmentation_of_the_image(tmp_path, image, labels, change, message):
    path = tmp_path / "labels.nrrd"
    sitk.WriteImage(change(labels), str(path))
    with pytest.raises(InputError) as caught:
        read_segmentation(path, image, "scan.nii")
    assert message in str(caught.value) and "labels.nrrd" in str(caught.value)


def test_a_scan_is_no_segmentation(tmp_path, image, odd_grids):
    path = tmp_path / "scan.nrrd"
    values = np.arange(np.prod(odd_grids["oblique"].shape), dtype=np.int32).reshape(odd_grids["oblique"].shape)
    sitk.WriteImage(odd_grids["oblique"].as_image(values), str(path))
    with pytest.raises(InputError, match="give a label map, not a scan"):
        read_segmentation(path, image, "scan")


@pytest.fixture
def layers(tmp_path):
    """Slicer's file of three segments in two layers, and the layers (k, j, i, 2)."""
    values = np.zeros((9, 10, 12, 2), np.uint8)
    values[2:5, 2:6, 2:6, 0], values[5:8, 2:6, 2:6, 0], values[3:7, 3:9, 3:9, 1] = 1, 2, 1
    segments = [("Liver", 1, 0), ("Kidney", 2, 0), ("Tumor", 1, 1)]
    lines = [
        "NRRD0004",
        "type: unsigned char",
        "dimension: 4",
        "space: left-posterior-superior",
        "sizes: 2 12 10 9",
        "space directions: none (2,0,0) (0,2,0) (0,0,3)",
        "kinds: list domain domain domain",
        "encoding: gzip",
        "space origin: (5,6,7)",
        *(f"Segment{n}_Name:={name}" for n, (name, _, _) in enumerate(segments)),
        *(f"Segment{n}_LabelValue:={label}" for n, (_, label, _) in enumerate(segments)),
        *(f"Segment{n}_Layer:={layer}" for n, (_, _, layer) in enumerate(segments)),
    ]
    path = tmp_path / "overlapping.seg.nrrd"
    path.write_bytes("\n".join([*lines, "", ""]).encode() + gzip.compress(values.tobytes()))
    return path, values


@pytest.fixture
def scan_of_layers(tmp_path):
    """The scan on whose grid the layers lie."""
    image = sitk.GetImageFromArray(np.random.default_rng(0).random((9, 10, 12)).astype(np.float32))
    image.SetSpacing((2.0, 2.0, 3.0))
    image.SetOrigin((5.0, 6.0, 7.0))
    sitk.WriteImage(image, str(tmp_path / "scan.nrrd"))
    return tmp_path / "scan.nrrd"


def test_segments_that_overlap(layers, scan_of_layers):
    path, values = layers
    found = read_segmentation(path, sitk.ReadImage(str(scan_of_layers)), "scan")
    assert found.names == {1: "Liver", 2: "Kidney"} and (found.labels == values[..., 0]).all()
    (other,) = found.others
    assert other.names == {1: "Tumor"} and (other.labels == values[..., 1]).all()


def test_segments_that_overlap_are_a_mask_together(layers, scan_of_layers):
    path, values = layers
    assert (read_scan(scan_of_layers, path).mask == values.any(-1)).all()


def test_segments_that_overlap_lie_on_the_grid_of_the_image_too(layers, image):
    with pytest.raises(InputError, match=r"The segmentation .*overlapping.seg.nrrd has 12x10x9 voxels and the image"):
        read_segmentation(layers[0], image, "scan")


def test_layers_that_are_damaged_are_one_sentence(layers, scan_of_layers):
    path, _ = layers
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(InputError, match=r"overlapping.seg.nrrd is damaged"):
        read_segmentation(path, sitk.ReadImage(str(scan_of_layers)), "scan")


def as_text(path, values):
    """Write layers as decimal numbers."""
    header = path.read_bytes().partition(b"\n\n")[0].replace(b"encoding: gzip", b"encoding: ascii")
    path.write_bytes(header + b"\n\n" + " ".join(str(one) for one in values.ravel()).encode() + b"\n")


def test_layers_that_are_text(layers, scan_of_layers):
    path, values = layers
    as_text(path, values)
    assert (read_scan(scan_of_layers, path).mask == values.any(-1)).all()


@pytest.mark.parametrize("damage", [lambda one: one[:-5], lambda one: one[:-2] + b"z\n", lambda one: one[:-2] + b"256"])
def test_text_that_is_damaged_is_one_sentence(layers, scan_of_layers, damage):
    path, values = layers
    as_text(path, values)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"overlapping.seg.nrrd is damaged"):
        read_segmentation(path, sitk.ReadImage(str(scan_of_layers)), "scan")


@pytest.mark.parametrize(
    ("size", "ending"),
    [((24, 20, 1), "nii"), ((24, 20), "nrrd"), ((4, 5, 6), "mha"), ((4, 5, 6), "vtk")],
)
def test_a_mask_smaller_than_any_image_is_to_be_resampled(tmp_path, scan_of_layers, size, ending):
    path = tmp_path / f"small.{ending}"
    sitk.WriteImage(sitk.Image(size, sitk.sitkUInt8) + 1, str(path))
    said = rf"small.{ending} has {'x'.join(map(str, size))} voxels, fewer than any image: resample it onto the grid"
    with pytest.raises(InputError, match=said):
        read_scan(scan_of_layers, path)
    with pytest.raises(InputError, match=said):
        read_segmentation(path, sitk.ReadImage(str(scan_of_layers)), "scan")


def test_a_mask_in_memory_that_is_smaller_than_any_image(scan_of_layers):
    with pytest.raises(InputError, match=r"The mask of CT has 4x5x6 voxels, .*: resample it onto the grid"):
        volume_from_image(sitk.ReadImage(str(scan_of_layers)), "CT", sitk.Image((4, 5, 6), sitk.sitkUInt8) + 1)


def test_an_empty_first_layer_is_left_out(layers, scan_of_layers):
    path, values = layers
    header = path.read_bytes().partition(b"\n\n")[0]
    path.write_bytes(header + b"\n\n" + gzip.compress((values * np.uint8([0, 1])).tobytes()))
    assert read_segmentation(path, sitk.ReadImage(str(scan_of_layers)), "scan").names == {1: "Tumor"}
