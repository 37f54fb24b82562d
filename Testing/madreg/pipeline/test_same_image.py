"""One image given as the fixed and as the moving one."""

import os
import shutil

import numpy as np
import SimpleITK as sitk

from madreg.io.reading import read_scan
from madreg.pipeline.same_image import same_image_notice

VOXELS = np.random.default_rng(0).integers(0, 1000, (10, 12, 14)).astype(np.float32)


def written(path, voxels=VOXELS, origin=(0.0, 0.0, 0.0)):
    image = sitk.GetImageFromArray(voxels)
    image.SetOrigin(origin)
    sitk.WriteImage(image, str(path))
    return path


def notice(one, other):
    return same_image_notice(read_scan(one), read_scan(other))


def test_one_image_under_any_name(tmp_path):
    scan = written(tmp_path / "scan.nii.gz")
    os.symlink(scan, tmp_path / "link.nii.gz")
    shutil.copy(scan, tmp_path / "copy.nii.gz")
    assert notice(scan, scan).startswith(f"The fixed and the moving image are the same ({scan}): ")
    others = [tmp_path / "link.nii.gz", tmp_path / "copy.nii.gz", written(tmp_path / "scan.nrrd")]
    for other in others:
        assert f"{scan} and {other}" in notice(scan, other)


def test_voxels_without_a_value_are_the_same_too(tmp_path):
    voxels = VOXELS.copy()
    voxels[0] = np.nan
    scan = written(tmp_path / "scan.nrrd", voxels)
    assert notice(scan, scan) and notice(scan, written(tmp_path / "other.nrrd")) is None


def test_other_voxels_or_another_place_are_another_image(tmp_path):
    scan = written(tmp_path / "scan.nii.gz")
    assert notice(scan, written(tmp_path / "moved.nii.gz", origin=(3.0, 0.0, 0.0))) is None
    assert notice(scan, written(tmp_path / "other.nii.gz", VOXELS + 1)) is None
    assert notice(scan, written(tmp_path / "larger.nii.gz", np.tile(VOXELS, (2, 1, 1)))) is None
