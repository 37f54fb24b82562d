"""Poses of known error are counted under the right verdict, and those that must not be are found."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.image.geometry import Grid
from madreg_benchmark.cases.case import Case
from madreg_benchmark.studies import verdicts
from madreg_benchmark.studies.other_tools import TOOLS, write_other_tools
from madreg_benchmark.studies.study import Setting
from madreg_benchmark.studies.verdicts import group_table, measure_verdicts, range_table, said, write_verdicts


def row(true_mm: float, verdict: str, bound_mm: float | None = 8.0, kind: str = "rigid") -> dict:
    return {
        "case": "one",
        "contrast": "CT-T1",
        "kind": kind,
        "tool": TOOLS[0],
        "number": 0,
        "true_mm": true_mm,
        "estimate_mm": true_mm + 0.5,
        "bound_mm": bound_mm,
        "margin": 0.3,
        "verdict": verdict,
    }


ROWS = [
    row(0.4, "aligned"),
    row(0.6, "failed", None),
    row(5.5, "aligned", 5.0),
    row(4.5, "check"),
    row(25.0, "check", 30.0, "far"),
    row(40.0, "failed", None, "far"),
]


def cells(table: str, name: str) -> list[str]:
    """Of the line of a table that begins with a name, all but the name."""
    line = next(line for line in table.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("| ").split("|")][1:]


def test_poses_are_counted_by_their_true_error():
    table = range_table(ROWS)
    assert cells(table, "from 0 to 1") == ["2", "1", "0", "1"]
    assert cells(table, "from 5 to 10") == ["1", "1", "0", "0"]
    assert cells(table, "from 20") == ["2", "0", "1", "1"]


def test_what_must_not_be_said_is_counted():
    table = group_table(ROWS)
    assert cells(table, "all") == ["6", "2", "2", "2", "1", "1", "1", "75.0 %", "0.50"]
    assert cells(table, "far") == ["2", "0", "1", "1", "0", "1", "0", "100.0 %", "0.50"]


def test_pages_have_every_pose(tmp_path):
    assert "aligned beyond 5 mm" in write_verdicts(ROWS, "made", tmp_path)
    assert len((tmp_path / "verdicts.csv").read_text(encoding="utf-8").splitlines()) == 1 + len(ROWS)
    assert cells(write_other_tools(ROWS, "made", tmp_path), TOOLS[0])[0] == "6"


def test_what_is_said_without_overlap():
    assert said(None)["verdict"] == "failed" and said(None)["bound_mm"] is None


@pytest.fixture
def case(grid_of, make_volume, head, tmp_path) -> Case:
    grid = Grid((40, 40, 40), np.diag([4.0, 4.0, 4.0, 1.0]))
    for name, look in (("fixed", head.ct), ("moving", head.mr)):
        image = make_volume(look, grid)
        sitk.WriteImage(grid.as_image(image.data.numpy()), str(tmp_path / f"{name}.nii.gz"))
    return Case("one", tmp_path / "fixed.nii.gz", tmp_path / "moving.nii.gz", np.eye(4), "CT-T1")


def test_a_pose_is_assessed_with_its_distance_from_the_right_one(case, tmp_path, monkeypatch):
    monkeypatch.setattr(verdicts, "QUICK_KINDS", {"right": (1, 1), "rigid": (2, 1), "flipped": (1, 1)})
    quality = SimpleNamespace(error_mm=1.0, bound_mm=2.0, margin=np.inf, verdict="check")
    monkeypatch.setattr(verdicts, "assess", lambda pair, transform, comparison: quality)
    monkeypatch.setattr(verdicts, "OtherPoses", lambda misaligning: SimpleNamespace(of=lambda case, kind, made: None))
    rows = measure_verdicts(Setting([case], tmp_path, quick=True))
    assert [one["kind"] for one in rows] == ["right", "rigid", "rigid", "flipped"]
    assert rows[0]["true_mm"] == 0.0 and 0.5 <= rows[1]["true_mm"] < rows[2]["true_mm"] <= 14.1 < rows[3]["true_mm"]
    assert rows[0]["margin"] is None and json.loads((tmp_path / "verdicts.jsonl").read_text().splitlines()[0])
