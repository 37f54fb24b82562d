"""What is given as an image or a transform and is none: each refusal says what it is and what helps."""

import bz2
import gzip
import zipfile

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from madreg.errors import InputError
from madreg.io.images import open_image
from madreg.io.itk_transform import read_itk_transform

RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"


def refused(path, read=open_image):
    with pytest.raises(InputError) as caught:
        read(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "advice"),
    [
        ("a.tfm", b"#Insight Transform File V1.0\n", "is a transform: give an image"),
        ("a.txt", b"#Insight Transform File V1.0\n", "is a transform: give an image"),
        ("a.lta", b"type = 1\n", "is a transform: give an image"),
        ("a.mrml", b"<MRML>", "is a scene of Slicer: save the volume"),
        ("a.mrb", b"PK\3\4", "is a scene of Slicer: save the volume"),
        ("slice.dcm.gz", gzip.compress(b"DICM"), "is an archive: unpack it"),
        ("scan.nii.bz2", bz2.compress(b"n+1"), "is an archive: unpack it"),
    ],
)
def test_files_that_are_no_images_say_what_they_are(tmp_path, name, content, advice):
    (tmp_path / name).write_bytes(content)
    assert advice in refused(tmp_path / name)


def test_a_folder_of_images_names_them(tmp_path):
    for name in ("b.nii.gz", "a.nrrd"):
        sitk.WriteImage(sitk.GaussianSource(size=[12, 12, 12]), str(tmp_path / name))
    assert "give one of the images in it (a.nrrd, b.nii.gz)" in refused(tmp_path)


def test_a_folder_of_an_archive_says_unpack(tmp_path):
    with zipfile.ZipFile(tmp_path / "scan.zip", "w") as archive:
        archive.writestr("one.dcm", b"")
    assert "unpack scan.zip in it" in refused(tmp_path)


@pytest.mark.parametrize("of_folder", [True, False])
def test_dicom_without_an_image_is_named(tmp_path, dicom, of_folder):
    one = dicom.dataset(np.zeros((4, 4), np.int16), RTSTRUCT, Modality="RTSTRUCT", Rows=None, Columns=None)
    del one.PixelData
    path = dicom.write(one, tmp_path / "plan/one.dcm")
    text = refused(path.parent if of_folder else path)
    assert "kind RTSTRUCT" in text and "without an image" in text and "give the folder that holds the slices" in text


def test_a_damaged_dicom_file_is_damaged(tmp_path, dicom):
    path = dicom.write(dicom.dataset(np.zeros((4, 4), np.int16), Rows=None), tmp_path / "one.dcm")
    assert "is damaged or incomplete" in refused(path)


def test_compressed_slices_that_are_damaged_are_to_be_exported_again(tmp_path, dicom, straight):
    folder = dicom.write_slices(tmp_path / "scan", straight(3))
    for path in folder.iterdir():
        one = pydicom.dcmread(path)
        one.file_meta.TransferSyntaxUID = pydicom.uid.JPEGBaseline8Bit
        one.PixelData = pydicom.encaps.encapsulate([b"no JPEG" * 20])
        one["PixelData"].is_undefined_length = True
        one.save_as(path)
    assert "copy or export the series again, uncompressed" in refused(folder)


@pytest.mark.parametrize(
    ("name", "content", "advice"),
    [
        (
            "TransformParameters.0.txt",
            '// elastix\n(Transform "EulerTransform")\n',
            "ITKTransformOutputFileNameExtension",
        ),
        ("register.dat", "subject\n1\n1\n0.15\n1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\nround\n", "convert it to .lta"),
    ],
)
def test_transforms_of_other_programs_say_how_to_convert_them(tmp_path, name, content, advice):
    (tmp_path / name).write_text(content)
    assert advice in refused(tmp_path / name, read_itk_transform)
