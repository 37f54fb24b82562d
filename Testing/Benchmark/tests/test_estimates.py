"""The estimate of made-up heads follows the truth, and the sums over judgements are right."""

import csv

import numpy as np
import pytest

from madreg_benchmark.estimates import Judgement, area_under_curve, by_contrast, measure_estimates, write_estimates
from madreg_benchmark.phantom import write_cases
from madreg_benchmark.protocol import load_cases


def judgement(true: float, estimate: float, verdict: str = "check", rank: float = 0.9) -> Judgement:
    return Judgement("case", "CT-T1", true, estimate, 1.5, verdict, rank)


def test_made_up_heads_are_judged_rightly(tmp_path):
    write_cases(tmp_path)
    cases = load_cases(tmp_path)[:1]
    ticks = []
    found = measure_estimates(cases, 3, 0, "cpu", lambda: ticks.append(1))
    assert len(found) == len(ticks) == 6
    assert [round(j.true_mm) for j in found[:3]] == [0, 20, 40]
    assert all(abs(j.estimate_mm - j.true_mm) < 2 for j in found[:2])
    assert found[0].verdict == "aligned" and all(j.verdict == "failed" for j in found[3:])
    assert found[1].map_correlation > 0.8


def test_the_area_counts_failures_that_score_above_successes():
    right, wrong = [judgement(1, 1), judgement(2, 4)], [judgement(50, 3), judgement(50, 20)]
    assert area_under_curve([*right, *wrong]) == pytest.approx(3 / 4)
    assert area_under_curve([*right, judgement(50, 0, "failed")]) == 1.0
    assert np.isnan(area_under_curve(right))


def test_lines_leave_half_turns_out_of_the_differences(tmp_path):
    judgements = [
        judgement(0, 1, "aligned"),
        judgement(10, 12),
        judgement(30, 20, "failed", 0.7),
        judgement(110, 5, "failed", -0.5),
    ]
    line = by_contrast(judgements)[0]
    assert line[:5] == ["all", "4", "1.50", "1.000", "0.900"]
    assert line[6:] == ["1, 0.0", "1, 10.0", "2, 110.0"]
    text = write_estimates(judgements, "Commit abc", tmp_path)
    with (tmp_path / "estimates.csv").open() as file:
        assert [float(row["true_mm"]) for row in csv.DictReader(file)] == [0, 10, 30, 110]
    assert "CT-T1" in text and "Commit abc" in (tmp_path / "estimates.md").read_text()
    assert (tmp_path / "estimates.png").stat().st_size > 10_000
