"""The estimate of synthetic heads follows the truth, and the sums over assessments are right."""

import csv

import numpy as np
import pytest

from fewer import fewer_poses_and_blocks
from madreg_benchmark.studies.estimates import (
    Assessment,
    area_under_curve,
    by_contrast,
    write_estimates,
)


def assessment(true: float, estimate: float, verdict: str = "check", rank: float = 0.9) -> Assessment:
    return Assessment("case", "CT-T1", true, estimate, 1.5, verdict, rank)


@pytest.mark.slow
def test_a_synthetic_head_is_assessed_rightly(quick_study):
    with fewer_poses_and_blocks():
        folder = quick_study("estimates")
    with (folder / "estimates.csv").open(encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert len(found) == 6
    assert [round(float(row["true_mm"])) for row in found[:3]] == [0, 20, 40]
    assert all(abs(float(row["estimate_mm"]) - float(row["true_mm"])) < 2 for row in found[:2])
    assert found[0]["verdict"] == "aligned" and all(row["verdict"] == "failed" for row in found[3:])
    assert float(found[1]["map_correlation"]) > 0.8


def test_the_area_counts_failures_that_score_above_successes():
    right, wrong = [assessment(1, 1), assessment(2, 4)], [assessment(50, 3), assessment(50, 20)]
    assert area_under_curve([*right, *wrong]) == pytest.approx(3 / 4)
    assert area_under_curve([*right, assessment(50, 0, "failed")]) == 1.0
    assert np.isnan(area_under_curve(right))


def test_an_unknown_error_is_counted_and_spoils_no_mean():
    some = [assessment(0, 1, "aligned"), assessment(10, np.nan), assessment(10, 12), assessment(110, 5, "failed")]
    line = by_contrast(some)[0]
    assert line[1:4] == ["4", "1.50", "1.000"] and line[5] == "1.000" and line[-1] == "1"


def test_lines_leave_flips_out_of_the_differences(tmp_path):
    assessments = [
        assessment(0, 1, "aligned"),
        assessment(10, 12),
        assessment(30, 20, "failed", 0.7),
        assessment(110, 5, "failed", -0.5),
    ]
    line = by_contrast(assessments)[0]
    assert line[:5] == ["all", "4", "1.50", "1.000", "0.900"]
    assert line[6:] == ["1, 0.0", "1, 10.0", "2, 110.0", "0"]
    text = write_estimates(assessments, "Commit abc", tmp_path)
    with (tmp_path / "estimates.csv").open(encoding="utf-8") as file:
        assert [float(row["true_mm"]) for row in csv.DictReader(file)] == [0, 10, 30, 110]
    assert "CT-T1" in text and "Commit abc" in (tmp_path / "estimates.md").read_text(encoding="utf-8")
    assert (tmp_path / "estimates.png").stat().st_size > 10_000
