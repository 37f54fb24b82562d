"""Cases of the pelvis are listed as they are given, with the kinds of scan and the accuracy of the truth."""

import json

import pytest

from madreg.errors import InputError
from madreg_benchmark.cases.case import load_cases
from madreg_benchmark.cases.pelvis import assemble_pelvis, pelvis_contrast
from translation import translation_matrix


@pytest.fixture
def data(tmp_path):
    """A data folder with two pairs, the second of which is only good to 4 mm."""
    folder = tmp_path / "data" / "val" / "pelvis"
    folder.mkdir(parents=True)
    truth = translation_matrix(1.0, -2.0, 3.0)
    pairs = []
    for name, good_to in (("00p0_t2tra-p0_t2sag", 1.0), ("15p2_t1-p2_dwi", 4.0)):
        files = [f"{name}_{role}.nii.gz" for role in ("fixed", "moving")]
        for file in files:
            (folder / file).touch()
        pairs.append(
            {"name": name, "fixed": files[0], "moving": files[1], "truth": truth.tolist(), "good_to_mm": good_to}
        )
    (folder / "pairs.json").write_text(json.dumps(pairs), encoding="utf-8")
    return tmp_path / "data"


def test_cases_are_listed_and_can_be_loaded(data, tmp_path):
    made = assemble_pelvis(data, tmp_path / "cases")
    cases = load_cases(tmp_path / "cases")
    assert [(case.name, case.contrast, case.good_to_mm) for case in cases] == [
        ("00p0_t2tra-p0_t2sag", "T2-T2", 1.0),
        ("15p2_t1-p2_dwi", "DWI-T1", 4.0),
    ]
    for one, other in zip(made, cases, strict=True):
        assert one.fixed.resolve() == other.fixed.resolve() and one.fixed.is_file() and other.moving.is_file()
        assert other.truth[:3, 3].tolist() == [1.0, -2.0, 3.0]


def test_what_is_missing_is_named(data, tmp_path):
    with pytest.raises(InputError, match=r"pairs\.json does not exist"):
        assemble_pelvis(tmp_path, tmp_path / "cases")
    (data / "val" / "pelvis" / "15p2_t1-p2_dwi_moving.nii.gz").unlink()
    with pytest.raises(InputError, match=r"15p2_t1-p2_dwi_moving\.nii\.gz does not exist"):
        assemble_pelvis(data, tmp_path / "cases")
    assert not (tmp_path / "cases").exists()


def test_names_give_the_kinds_of_scan():
    assert pelvis_contrast("13p2_t2cor-p2_dce") == "DCE-T2"
    with pytest.raises(InputError, match="two series"):
        pelvis_contrast("knee")
