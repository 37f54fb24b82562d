"""Cases of other anatomy: taken out of two packages, the second scan in another order of brightness, truth exact."""

import io
import tarfile
import zipfile

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.errors import InputError
from madreg_benchmark.cases.case import load_cases
from madreg_benchmark.cases.trunk import PACKAGES, SLICE_MM, SOURCES, as_mr, assemble_trunk, folded


def body_ct() -> sitk.Image:
    """HU at 3 mm: a round body of fat, a muscle in it with a bone, and a couch below that does not touch it."""
    _k, j, i = np.indices((20, 50, 50)) - np.array([10, 22, 25])[:, None, None, None]
    radius = np.hypot(j, i)
    values = np.full(radius.shape, -1000.0)
    values[radius < 18] = -100
    values[radius < 12] = 50
    values[radius < 4] = 1200
    values[:, 46:48] = 200
    image = sitk.GetImageFromArray(values.astype(np.float32))
    image.SetSpacing([3.0] * 3)
    return image


def test_an_mr_shows_fat_brightest_bone_dark_and_no_couch():
    array = sitk.GetArrayFromImage(as_mr(body_ct()))
    fat, muscle, bone, air = (array[10, 22, i] for i in (40, 34, 25, 2))
    assert fat > 0.8 > muscle > 0.3 > 0.1 > max(bone, air)
    assert array[10, 46, 25] == air  # the couch


def test_folding_makes_the_darkest_and_the_brightest_alike():
    values = np.linspace(100, 900, 27000, dtype=np.float32).reshape(30, 30, 30)
    array = sitk.GetArrayFromImage(folded(sitk.GetImageFromArray(values)))
    assert array[15, 0, 0] < 0.05 and array[0, 0, 0] > 0.9 and array[-1, -1, -1] > 0.9


@pytest.fixture
def packages(tmp_path):
    """Both archives, with small scans under the names of the real ones."""
    folder = tmp_path / "packages"
    folder.mkdir()
    file = tmp_path / "scan.nii.gz"
    sitk.WriteImage(sitk.Cast(body_ct(), sitk.sitkInt16), str(file))
    with (
        tarfile.open(folder / PACKAGES["totalsegmentator"], "w:gz") as tar,
        zipfile.ZipFile(folder / PACKAGES["tptbox"], "w") as wheel,
    ):
        for source in SOURCES.values():
            if source.package == "tptbox":
                wheel.write(file, source.member)
            else:
                info = tarfile.TarInfo(source.member)
                info.size = file.stat().st_size
                tar.addfile(info, io.BytesIO(file.read_bytes()))
    return folder


def test_cases_are_complete_and_the_second_scan_lies_where_the_first_does(packages, tmp_path):
    assemble_trunk(packages, tmp_path / "cases")
    cases = load_cases(tmp_path / "cases")
    assert [case.name for case in cases] == list(SOURCES) and len({case.name[:4] for case in cases}) == len(cases)
    for case in cases:
        fixed, moving = (sitk.ReadImage(str(path)) for path in (case.fixed, case.moving))
        assert (case.truth == np.eye(4)).all() and case.contrast == SOURCES[case.name].contrast
        assert moving.GetSpacing()[2] == SLICE_MM and fixed.GetSpacing()[2] == 3.0
        middle = moving.TransformPhysicalPointToIndex(fixed.TransformIndexToPhysicalPoint((25, 22, 10)))
        edge = moving.TransformPhysicalPointToIndex(fixed.TransformIndexToPhysicalPoint((40, 22, 10)))
        darker = moving[middle] < moving[edge]  # bone and fat; in the CT it is the other way round
        assert darker == (case.contrast == "CT-MR") and fixed[25, 22, 10] > fixed[40, 22, 10]
    first = sitk.GetArrayFromImage(sitk.ReadImage(str(cases[0].moving)))
    assemble_trunk(packages, tmp_path / "again")
    assert (sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "again" / cases[0].moving.name))) == first).all()


def test_a_missing_package_is_named_with_how_to_get_it(tmp_path):
    with pytest.raises(InputError, match=r"totalsegmentator.*pip download --no-deps totalsegmentator==2\.18\.0"):
        assemble_trunk(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
