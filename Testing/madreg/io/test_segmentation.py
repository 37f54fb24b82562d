"""Segmentations on the grid of an image."""

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.errors import InputError
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
