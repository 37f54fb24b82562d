"""Processor time is that of the work alone, and the table holds the medians."""

import time

import pytest

from madreg_benchmark.cases.synthetic_head import write_cases
from madreg_benchmark.studies.costs import measure_costs, processor_seconds, write_costs
from madreg_benchmark.studies.study import Setting


def busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_waiting_costs_nothing_and_work_does():
    assert processor_seconds(lambda: time.sleep(0.2), 1) < 0.1
    assert processor_seconds(lambda: busy(0.2), 2) == pytest.approx(0.2, abs=0.05)


def test_costs_of_synthetic_heads(tmp_path):
    ticks = []
    setting = Setting(write_cases(tmp_path)[:1], tmp_path, quick=True, on_unit=lambda: ticks.append(1))
    rows = measure_costs(setting)
    assert [row["measure"] for row in rows] == ["mad", "nmi", "ngf"] and len(ticks) == 3
    assert all(0 < row["value"] < 10 and 0 < row["value and gradient"] < 10 and row["set up"] > 0 for row in rows)


def test_medians_are_written(tmp_path):
    rows = [
        {"case": case, "measure": "mad", "set up": 1.0, "value": value, "value and gradient": 2 * value}
        for case, value in zip("abc", (0.1, 0.2, 0.9), strict=True)
    ]
    text = write_costs(rows, "Commit abc", tmp_path)
    assert "| mad | 1.000 | 0.200 | 0.400 | 0.200 to 1.800 | 32.0 |" in text
    page = (tmp_path / "costs.md").read_text(encoding="utf-8")
    assert text in page and "Commit abc" in page and (tmp_path / "costs.csv").is_file()
