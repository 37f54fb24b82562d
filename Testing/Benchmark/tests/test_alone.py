"""Each measure alone: which trials, and how they are summarized."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from fewer import fewer_steps
from madreg.measures import MEASURES
from madreg_benchmark.cases.case import Case
from madreg_benchmark.running.rows import read_rows
from madreg_benchmark.studies.alone import STUDY, levels_of, summarized, write_alone
from madreg_benchmark.studies.study import Setting


def row(measure: str, level: str, error: float, seconds: float = 1.0) -> dict:
    return {
        "case": "a",
        "contrast": "CT-T1",
        "level": level,
        "trial": 0,
        "measure": measure,
        "features": "abc",
        "before_mm": 30.0,
        "error_mm": error,
        "seconds": seconds,
    }


def case_of(contrast: str) -> Case:
    return Case("a", Path(), Path(), np.eye(4), contrast)


def test_levels_go_by_contrast():
    assert levels_of(case_of("CT-T1")) == ("cut", "large", "affine", "crop")
    assert levels_of(case_of("T1-T2")) == ("cut", "large") and levels_of(case_of("PD-T2")) == ("small", "cut", "large")


def test_the_slow_measure_is_tried_at_one_level():
    assert STUDY.units(Setting([case_of("CT-T1")], Path())) == 4 * 3 + 1
    assert STUDY.units(Setting([case_of("T1-T2")], Path())) == 2 * 3
    assert STUDY.units(Setting([case_of("PD-T2")], Path())) == 3 * 3


def test_errors_are_summarized(tmp_path):
    rows = [row("mad", "cut", 0.5), row("mad", "cut", 9.5, 3.0), row("nmi", "cut", 1.0), row("mad", "large", 2.0)]
    lines = summarized(rows)
    assert [line[:3] for line in lines] == [
        ["CT-T1", "cut", "mad"],
        ["CT-T1", "cut", "nmi"],
        ["CT-T1", "large", "mad"],
    ]
    assert lines[0][3:] == ["2", "5.00", "5.00", "9.50", "1/2", "2.0"]
    assert "| CT-T1 | cut | mad | 2 | 5.00 |" in write_alone(rows, "Commit abc", tmp_path)
    assert "Features abc.  Commit abc" in (tmp_path / "alone.md").read_text(encoding="utf-8")
    with (tmp_path / "alone.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 4


@pytest.mark.slow
def test_a_synthetic_head_is_registered_by_each_measure(quick_study):
    with fewer_steps():
        rows = read_rows(quick_study("alone") / "alone.jsonl")
    assert [row["measure"] for row in rows] == list(MEASURES)[: len(rows)] and len(rows) == 3
    assert all(row["error_mm"] < row["before_mm"] for row in rows)
