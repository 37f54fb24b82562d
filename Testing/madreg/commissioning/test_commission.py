"""A commissioning: which scans, what passes, what is reported, and one real trial."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk

from fewer import fewer_poses_and_blocks
from madreg import resources
from madreg.commands import main as cli
from madreg.commissioning import commission as commissioning
from madreg.commissioning.commission import LEAST_WITHIN, Commissioning, ScanResult, scans_in
from madreg.commissioning.trial import KINDS, Claim, TrialResult, run_trial
from madreg.errors import InputError
from madreg.io.reading import read_volume
from madreg.pages.commissioning import page
from madreg.settings import Settings

GOOD = Claim(1.5, 1.2, 3.0, "aligned")


def trial(number=0, true=1.0, left=0.0, registered=None, misaligned=GOOD):
    registered = registered or Claim(true, 0.8, 8.0, "aligned")
    return TrialResult(number, *KINDS[number % len(KINDS)], left, registered, misaligned)


def found(*trials, path="scan.nii.gz"):
    return Commissioning([ScanResult(path, list(trials), [])], 2.0, Settings(), {"sha256": "0" * 64}, 12.0)


@pytest.mark.parametrize(
    ("true", "bound", "verdict", "holds"),
    [
        (2.0, 3.0, "aligned", True),
        (4.0, 3.0, "aligned", False),
        (4.0, 3.0, "check", False),
        (40.0, None, "failed", True),
        (40.0, None, "check", True),
        (0.1, None, "aligned", False),
    ],
)
def test_what_is_said_holds_if_the_error_is_within_the_bound(true, bound, verdict, holds):
    assert Claim(true, 1.0, bound, verdict).holds == holds


def test_a_registration_is_not_charged_with_what_its_type_cannot_correct():
    assert trial(true=4.0, left=3.0).error_mm == pytest.approx(1.0)
    assert trial(true=2.9, left=3.0).error_mm == 0.0


def test_it_passes_if_all_registrations_are_within_the_tolerance_and_nearly_all_bounds_hold():
    assert found(trial(true=2.0)).passed
    assert not found(trial(true=2.0), trial(true=2.01)).passed
    wrong = trial(misaligned=Claim(9.0, 1.0, 2.0, "check"))
    few, many = found(wrong, *[trial()] * 9), found(wrong, *[trial()] * 2)
    assert few.claims_held >= LEAST_WITHIN > many.claims_held
    assert few.passed and not many.passed


def test_scans_of_a_folder(tmp_path):
    for name in ("b.nii.gz", "a.NRRD", ".hidden.nii", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "series").mkdir()
    assert [path.name for path in scans_in(tmp_path)] == ["a.NRRD", "b.nii.gz", "series"]
    empty = tmp_path / "series"
    with pytest.raises(InputError, match="holds no scan"):
        scans_in(empty)
    with pytest.raises(InputError, match="not a folder"):
        scans_in(tmp_path / "notes.txt")


@pytest.fixture
def folder(tmp_path, odd_grids, blob_image):
    """A folder with two small scans."""
    (tmp_path / "scans").mkdir()
    for name in ("one", "two"):
        image = blob_image(odd_grids["plain"], (12.0, -30.0, 45.0), 15.0)
        sitk.WriteImage(image, str(tmp_path / "scans" / f"{name}.nii.gz"))
    return tmp_path / "scans"


@pytest.fixture
def answers(monkeypatch):
    """Replaces trials by known ones; returns the numbers that were asked for."""
    asked = []

    def known(scan, number, tolerance, settings):
        asked.append(number)
        return trial(number, true=0.4 * number)

    monkeypatch.setattr(commissioning, "run_trial", known)
    monkeypatch.setattr(commissioning, "checked_card", lambda *_: {"sha256": "0" * 64})
    return asked


def test_page_and_report_are_written_and_the_status_says_whether_it_passed(folder, answers, tmp_path, capsys):
    page_file, report_file = tmp_path / "page.html", tmp_path / "report.json"
    outputs = ["--page", str(page_file), "--report", str(report_file), "--device", "cpu"]
    assert cli.main(["commission", str(folder), *outputs, "--trials", "6"]) == 0
    out, err = capsys.readouterr()
    assert "passed" in out and "12 of 12 within 2 mm" in out and len(err.splitlines()) == 12
    report = json.loads(report_file.read_text())
    assert report["passed"] and [len(scan["trials"]) for scan in report["scans"]] == [6, 6]
    assert all(report["inputs_sha256"].values())
    assert ">Passed<" in page_file.read_text() and "one.nii.gz" in page_file.read_text()
    assert cli.main(["commission", str(folder), *outputs, "--trials", "6", "--tolerance", "1", "--quiet"]) == 3
    assert not json.loads(report_file.read_text())["passed"] and ">Not passed<" in page_file.read_text()
    assert capsys.readouterr() == ("", "")


def test_a_scan_that_cannot_be_read_is_refused_before_the_work(folder, monkeypatch, capsys):
    monkeypatch.setattr(commissioning, "run_trial", lambda *_: pytest.fail("it has begun"))
    (folder / "z.nii.gz").write_bytes(b"hello")
    assert cli.main(["commission", str(folder)]) == 1
    assert "z.nii.gz" in capsys.readouterr().err


def test_a_folder_that_may_not_be_read_is_one_sentence(folder, monkeypatch, capsys):
    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(commissioning.Path, "iterdir", denied)
    assert cli.main(["commission", str(folder)]) == 1
    assert capsys.readouterr().err == f"{folder} cannot be opened (Permission denied): check your rights to it.\n"


def test_an_interrupt_leaves_no_file(folder, answers, tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(commissioning, "run_trial", interrupted)
    assert cli.main(["commission", str(folder), "--report", str(tmp_path / "report.json")]) == 130
    assert not (tmp_path / "report.json").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tolerance", "0"], "not a length"),
        (["--tolerance", "nan"], "not a length"),
        (["--trials", "0"], "not a number"),
        (["--page", "page.txt"], "unknown ending"),
        (["--device", "abacus"], "abacus"),
    ],
)
def test_what_cannot_be_used_is_refused_before_any_work(folder, answers, arguments, words, capsys):
    try:
        status = cli.main(["commission", str(folder), *arguments])
    except SystemExit as error:
        status = error.code
    assert status in (1, 2) and answers == []
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("name", ["mine.json", "link.json"])
def test_a_report_that_is_the_model_card_of_the_weights_is_refused(folder, answers, tmp_path, capsys, name):
    (tmp_path / "mine.json").write_text("{}")
    (tmp_path / "link.json").symlink_to("mine.json")
    words = ["--weights", str(tmp_path / "mine.pt"), "--report", str(tmp_path / name)]
    assert cli.main(["commission", str(folder), *words]) == 1
    assert "is an input and would be overwritten" in capsys.readouterr().err and answers == []
    assert (tmp_path / "mine.json").read_text() == "{}"


def test_an_output_that_is_a_scan_is_refused(folder, answers, capsys):
    scan = folder / "other.json"
    scan.symlink_to(folder / "one.nii.gz")
    assert cli.main(["commission", str(folder), "--report", str(scan)]) == 1
    assert "is an input" in capsys.readouterr().err and answers == []


def test_the_page_shows_every_number_and_escapes_names():
    report = found(trial(1, true=3.3), path="<scan>.nii").findings()
    shown = page({**report, "inputs_sha256": {}, "versions": {}, "platform": "here"})
    assert "3.3 mm" in shown and "&lt;scan&gt;.nii" in shown and "<scan>" not in shown and ">NO<" in shown


def test_the_page_does_not_call_measured_errors_estimated():
    """Of a phantom the true error is known."""
    report = found(trial(1, true=3.3)).findings()
    shown = page({**report, "inputs_sha256": {}, "versions": {}, "platform": "here"})
    assert "not measured" not in shown and "not a medical device" in shown
    assert "without a bound counts as within it" in shown


@pytest.mark.slow
def test_a_trial_with_a_bundled_scan():
    scan = read_volume(resources.path("Demo", "T1w.nii.gz"))[0]
    with fewer_poses_and_blocks():
        result = run_trial(scan, 0, 2.0, Settings())
    assert result.error_mm < 0.5 and result.registered.verdict == "aligned"
    assert all(claim.holds for claim in result.claims)
    assert 1.0 <= result.misaligned.true_mm <= 8.0
    assert result.misaligned.estimated_mm == pytest.approx(result.misaligned.true_mm, abs=1.0)
    assert np.isfinite(result.registered.bound_mm)
