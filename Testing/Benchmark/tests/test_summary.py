"""Sums of trials with known values."""

from __future__ import annotations

import numpy as np
import pytest

from madreg_benchmark.report.summary import bootstrap_median, summarize, wilson_interval
from madreg_benchmark.report.tables import grouped, markdown, table, write_csv


def row(error: float, note: str = "", seconds: float = 1.0, memory: float | None = None, **fields) -> dict:
    return {"error_mm": error, "note": note, "seconds": seconds, "memory_mb": memory, **fields}


def test_summary_of_known_errors():
    summary = summarize(
        [
            row(0.5, seconds=1),
            row(1.5, seconds=2, memory=100.0),
            row(4.0, seconds=9, memory=300.0),
            row(94.0, seconds=3),
        ]
    )
    assert (summary.trials, summary.failed) == (4, 0)
    assert (summary.under_2, summary.under_5) == (0.5, 0.75)
    assert (summary.median, summary.mean, summary.worst) == (2.75, 25.0, 94.0)
    assert (summary.seconds, summary.memory_mb) == (2.5, 300.0)


def test_a_run_that_ended_with_a_message_is_no_success_even_if_it_was_given_little_to_do():
    summary = summarize([row(0.5), row(1.0, note="RuntimeError: all samples map outside")])
    assert (summary.failed, summary.under_2, summary.under_5, summary.worst) == (1, 0.5, 0.5, 1.0)


def test_limits_are_not_successes():
    summary = summarize([row(2.0), row(5.0)])
    assert (summary.under_2, summary.under_5) == (0.0, 0.5)


def test_wilson_interval_agrees_with_published_values():
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3
    for successes, trials, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=2e-4)


def test_bootstrap_interval_covers_the_median_and_narrows():
    few = np.random.default_rng(1).normal(10, 2, 12)
    many = np.random.default_rng(1).normal(10, 2, 1200)
    low, high = bootstrap_median(few)
    assert low <= np.median(few) <= high
    narrow = bootstrap_median(many)
    assert 0.05 < narrow[1] - narrow[0] < 0.5 < high - low
    assert bootstrap_median(few) == (low, high)


def test_tables_group_and_keep_order(tmp_path):
    rows = [row(e, level=level, method=method) for level in ("large", "any") for method in ("b", "a") for e in (1, 3)]
    assert list(grouped(rows, ["level", "method"])) == [("large", "b"), ("large", "a"), ("any", "b"), ("any", "a")]
    header, lines = table(rows[::-1], ["method", "level"])
    assert [line[:2] for line in lines] == [["a", "any"], ["a", "large"], ["b", "any"], ["b", "large"]]
    assert all(len(line) == len(header) for line in lines)
    assert markdown(["x", "y"], [["1", "2"]]) == "| x | y |\n| --- | --- |\n| 1 | 2 |\n"
    write_csv(tmp_path / "some.csv", ["x", "y"], [["1", "2, 3"]])
    assert (tmp_path / "some.csv").read_text(encoding="utf-8") == 'x,y\n1,"2, 3"\n'
