"""Registering the pairs of a table of files: what is done, what is resumed, what is shown."""

import json
from pathlib import Path

import numpy as np
import pytest
import slicer
from doubles import makeParameters, run

from madreg.batch import manifest, summary
from madreg.commands.main import main
from MADRegistrationLib.jobs.filepairs import FilePairs, commonSettings
from MADRegistrationLib.selection import parameters as p

TABLE = "fixed,moving,type\nMR.nii.gz,{},\nMR.nii.gz,{},affine\n"


@pytest.fixture
def table(tmp_path):
    """Function that writes a table of two pairs, by the names of the moving images, and returns its path."""

    def write(*moving):
        path = tmp_path / "table.csv"
        path.write_text(TABLE.format(*moving))
        return path

    return write


@pytest.fixture
def loaded(monkeypatch, volumes):
    """Slicer's way to load a volume, here one that is there; returns what was loaded."""
    names = []

    def load(path, properties):
        assert properties == {"show": False}  # else Slicer's choice of volumes is in the views
        if "damaged" in path:
            raise RuntimeError("Failed to load")
        names.append(Path(path).name)
        return slicer.mrmlScene.GetFirstNodeByName(Path(path).name.split(".")[0])

    monkeypatch.setattr(slicer.util, "loadVolume", load, raising=False)
    return names


def entries(folder):
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def rows(view):
    return [(row.verdict, row.name.rsplit("-", 1)[0], row.error) for row in view.shown["FileRows"]]


def test_what_is_missing_is_said(panel, view, table, tmp_path):
    panel.setParameters(makeParameters())
    files = panel.controllers.files
    files.onPaths("", "")
    assert "Choose a table" in view.shown["FilesButton"][2]
    files.onPaths(str(table("CT.nii.gz", "PET.nii.gz")), "")
    assert "Choose a folder" in view.shown["FilesButton"][2]
    files.onPaths(str(tmp_path / "none.csv"), str(tmp_path / "out"))
    assert view.shown["FilesButton"][1] is False and "none.csv cannot be read" in view.shown["FilesButton"][2]
    files.onButton()
    assert not panel.isRunning
    (tmp_path / "index.html").write_text("of somebody else")
    files.onPaths(str(table("CT.nii.gz", "PET.nii.gz")), str(tmp_path))
    assert "index.html was not written by a batch" in view.shown["FilesButton"][2]


def test_pairs_are_registered_recorded_and_resumed(panel, view, table, tmp_path):
    panel.setParameters(makeParameters())
    files, out = panel.controllers.files, tmp_path / "out"
    files.onPaths(str(table("CT.nii.gz", "slow.nii.gz")), str(out))
    assert view.shown["FilesButton"][:2] == ("Register 2 of 2 pairs", True)
    assert rows(view) == [("TO DO", "CT", ""), ("TO DO", "slow", "")]
    files.onButton()
    assert view.shown["Button"][0] == "Cancel" and view.shown["FilesButton"][1] is False
    run(panel, until=lambda: "2/2 slow" in view.shown["Progress"][0])
    panel.registerAction.onButton()
    assert view.shown["Message"] == ("Cancelled: what was finished stays.", False)
    assert [one["state"] for one in entries(out)] == ["done"]
    files.onPaths(str(table("CT.nii.gz", "PET.nii.gz")), str(out))
    assert view.shown["FilesButton"][:2] == ("Register 1 of 2 pairs", True)
    assert rows(view) == [("CHECK", "CT", "3.2 mm"), ("TO DO", "PET", "")]
    files.onButton()
    run(panel)
    assert [one["moving"] for one in entries(out)] == ["CT.nii.gz", "PET.nii.gz"]
    assert view.shown["FilesButton"] == ("Register 0 of 2 pairs", False, "All pairs have a result.")
    assert "PET.nii.gz" in (out / "summary.tsv").read_text() and (out / "index.html").is_file()
    assert view.shown["Message"][0].startswith("2 of 2 pairs have a result.") and not view.shown["Message"][1]


def test_a_pair_that_fails_or_crashes_is_tried_twice_and_stops_no_other(panel, view, table, tmp_path):
    panel.setParameters(makeParameters())
    files, out = panel.controllers.files, tmp_path / "out"
    files.onPaths(str(table("crash.nii.gz", "bad.nii.gz")), str(out))
    files.onButton()
    run(panel)
    assert [(one["state"], one["attempts"]) for one in entries(out)] == [("killed", 2), ("error", 2)]
    assert "stopped unexpectedly" in entries(out)[0]["message"]
    assert view.shown["FilesButton"][:2] == ("Register 2 of 2 pairs again", True)
    files.onPaths(str(tmp_path / "table.csv"), str(out))
    assert [row.verdict for row in view.shown["FileRows"]] == ["KILLED", "ERROR"]
    (tmp_path / "table.csv").write_text(TABLE.format("crash.nii.gz", "bad.nii.gz") + "MR.nii.gz,CT.nii.gz\n")
    files.onPaths(str(tmp_path / "table.csv"), str(out))
    assert view.shown["FilesButton"][:2] == ("Register 1 of 3 pairs", True)  # new ones first
    files.onPaths(str(table("crash.nii.gz", "bad.nii.gz")), str(out))
    assert view.shown["FileRows"][1].remark == "bad.nii.gz cannot be read."


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("oops"), "stopped by an error of this module"),
        (OSError(28, "No space left on device"), "could not be written to"),
        (MemoryError(), "ran out of memory"),
    ],
)
def test_an_error_in_slicer_ends_it(panel, view, table, tmp_path, monkeypatch, error, words):
    def write(*_):
        raise error

    monkeypatch.setattr(summary, "write", write)
    panel.setParameters(makeParameters())
    panel.controllers.files.onPaths(str(table("CT.nii.gz", "PET.nii.gz")), str(tmp_path / "out"))
    panel.controllers.files.onButton()
    run(panel)
    message, isError = view.shown["Message"]
    assert words in message and isError and view.shown["Busy"] is False
    with manifest.opened(tmp_path / "out") as record:  # it is not locked any more
        assert len(record.entries) == 2


def test_a_folder_that_another_batch_writes_to_is_left_alone(panel, view, table, tmp_path):
    panel.setParameters(makeParameters())
    panel.controllers.files.onPaths(str(table("CT.nii.gz", "PET.nii.gz")), str(tmp_path / "out"))
    with manifest.opened(tmp_path / "out"):
        panel.controllers.files.onButton()
        assert not panel.isRunning and "Another batch is writing" in view.shown["Message"][0]
    panel.controllers.files.onButton()
    run(panel)
    assert len(entries(tmp_path / "out")) == 2


def test_other_settings_are_other_pairs(panel, view, table, tmp_path):
    parameters = makeParameters()
    panel.setParameters(parameters)
    panel.controllers.files.onPaths(str(table("CT.nii.gz", "PET.nii.gz")), str(tmp_path / "out"))
    panel.controllers.files.onButton()
    run(panel)
    parameters.transformType = p.TransformType.AFFINE
    panel.update()
    assert view.shown["FilesButton"][:2] == ("Register 1 of 2 pairs", True)  # the other row says affine itself
    parameters.transformType = p.TransformType.RIGID
    panel.update()
    assert view.shown["FilesButton"][1] is False


def test_a_line_is_loaded_with_its_result(panel, view, table, tmp_path, volumes, loaded):
    fixed, moving, _ = volumes
    for name in ("MR", "CT", "other"):
        (tmp_path / f"{name}.nii.gz").touch()
    parameters = makeParameters()
    panel.setParameters(parameters)
    files = panel.controllers.files
    files.onPaths(str(table("CT.nii.gz", "other.nii.gz")), str(tmp_path / "out"))
    files.onButton()
    run(panel)
    for _ in range(2):  # loaded once
        panel.choosePairAction.onFileRow(0)
        assert (parameters.fixedVolume, parameters.movingVolume) == (fixed, moving)
        assert loaded == ["MR.nii.gz", "CT.nii.gz"]
        matrix = slicer.util.arrayFromTransformMatrix(moving.GetParentTransformNode())
        np.testing.assert_allclose(matrix[:3, 3], [10, -20, -30], atol=1e-9)
    assert "CHECK" in view.shown["Result"][0] and "Little in common." in view.shown["Result"][0]
    assert view.shown["RevertEnabled"] is True
    panel.onRevert()
    assert moving.GetParentTransformNode() is None
    # one whose verdict is failed is shown as it is in its files
    volumes[2].SetName("other")
    panel.choosePairAction.onFileRow(1)
    assert parameters.movingVolume is volumes[2] and volumes[2].GetParentTransformNode() is None


def test_a_line_is_loaded_from_where_it_is_registered(panel, table, tmp_path, monkeypatch, volumes, loaded):
    """Also where the table lies in a folder behind a link, and the images beside that folder."""
    real, elsewhere = tmp_path / "real" / "tables", tmp_path / "elsewhere"
    for folder in (real, elsewhere):
        folder.mkdir(parents=True)
    for name in ("MR", "CT"):
        (real.parent / f"{name}.nii.gz").touch()
    (elsewhere / "link").symlink_to(real)
    (real / "table.csv").write_text("fixed,moving\n../MR.nii.gz,../CT.nii.gz\n")
    panel.setParameters(makeParameters())
    panel.controllers.files.onPaths(str(elsewhere / "link" / "table.csv"), str(tmp_path / "out"))
    panel.choosePairAction.onFileRow(0)
    assert loaded == ["MR.nii.gz", "CT.nii.gz"]


def test_a_table_that_the_summary_would_overwrite_is_refused(panel, view, table, tmp_path):
    panel.setParameters(makeParameters())
    path = table("CT.nii.gz", "PET.nii.gz").rename(tmp_path / "summary.tsv")
    panel.controllers.files.onPaths(str(path), str(tmp_path))
    assert view.shown["FilesButton"][1] is False and "overwritten by the summary" in view.shown["FilesButton"][2]


def test_a_line_that_cannot_be_loaded_is_said(panel, view, table, tmp_path, volumes, loaded):
    for name in ("MR", "damaged"):
        (tmp_path / f"{name}.nii.gz").touch()
    panel.setParameters(makeParameters())
    panel.controllers.files.onPaths(str(table("missing.nii.gz", "damaged.nii.gz")), str(tmp_path / "out"))
    for row, name in enumerate(("missing", "damaged")):
        panel.choosePairAction.onFileRow(row)
        text, isError = view.shown["Message"]
        assert isError and f"{name}.nii.gz cannot be loaded" in text and len(loaded) == row
    assert slicer.mrmlScene.GetFirstNodeByName("MR") is None  # it was loaded, and is not left alone


def test_why_a_line_cannot_be_loaded_is_true_and_goes_with_the_next(panel, view, tmp_path, volumes, loaded):
    for name in ("MR", "CT", "damaged"):
        (tmp_path / f"{name}.nii.gz").touch()
    (tmp_path / "slices").mkdir()
    names = ("CT.nii.gz", "missing.nii.gz", "slices", "damaged.nii.gz")
    path = tmp_path / "table.csv"
    path.write_text("fixed,moving\n" + "".join(f"MR.nii.gz,{name}\n" for name in names))
    panel.setParameters(makeParameters())
    panel.controllers.files.onPaths(str(path), str(tmp_path / "out"))
    expected = ("not there: check the path", "is a folder: load its images", "cannot be loaded as a volume")
    for row, words in enumerate(expected, 1):
        panel.choosePairAction.onFileRow(0)
        assert view.shown.get("Message", ("", False)) == ("", False)
        panel.choosePairAction.onFileRow(row)
        assert words in view.shown["Message"][0] and view.shown["Message"][1]


@pytest.mark.parametrize("options", [[], ["--no-pictures", "--error-map"]])
def test_the_panel_and_the_command_agree_on_what_is_done(table, tmp_path, monkeypatch, options):
    """The same pairs, ids and fingerprints, whichever files the command writes."""
    from madreg.commands import batch

    done = []

    def record(args, pairs, remaining, opened, root):
        for pair in remaining:
            opened.add({"id": pair.id, "fingerprint": pair.fingerprint(), "state": "done", "verdict": "check"})
            done.append(pair.id)

    monkeypatch.setattr(batch, "_do", record)
    path, out = table("CT.nii.gz", "PET.nii.gz"), tmp_path / "out"
    monkeypatch.setattr(batch.summary, "write", lambda folder, entries: [])
    main(["batch", str(path), str(out), "--quiet", *options])
    pairs = FilePairs(path, out, commonSettings(p.settingsOf(makeParameters(seed=0))))
    assert [pair.id for pair in pairs.pairs] == done and set(pairs.entries) == set(done) and not pairs.remaining


def test_the_command_goes_on_where_the_panel_has_stopped(panel, table, tmp_path, monkeypatch):
    from madreg.commands import batch

    panel.setParameters(makeParameters(seed=0))
    path, out = table("CT.nii.gz", "PET.nii.gz"), tmp_path / "out"
    panel.controllers.files.onPaths(str(path), str(out))
    panel.controllers.files.onButton()
    run(panel)
    monkeypatch.setattr(batch, "_do", lambda *_: pytest.fail("a pair is done again"))
    assert main(["batch", str(path), str(out), "--quiet", "--no-pictures"]) == 0
    assert "CT.nii.gz" in (out / "summary.tsv").read_text()
