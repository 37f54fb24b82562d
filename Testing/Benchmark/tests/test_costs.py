"""Processor time is that of the work alone, and the table holds the medians."""

import csv
import time

import pytest

from madreg.measures import MEASURES
from madreg_benchmark.studies.costs import WHAT, processor_seconds, write_costs


def busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_waiting_costs_nothing_and_work_does():
    waiting, working = processor_seconds(lambda: time.sleep(0.2), 1), processor_seconds(lambda: busy(0.2), 2)
    assert working >= 0.2 and 2 * waiting < working


@pytest.mark.slow
def test_costs_of_a_synthetic_head(quick_study):
    """MAD as published costs more than the others; one repeat is too noisy for what a gradient adds."""
    with (quick_study("costs") / "costs.csv").open(encoding="utf-8") as file:
        rows = {row["measure"]: {name: float(row[f"{name}, s"]) for name in WHAT} for row in csv.DictReader(file)}
    assert list(rows) == list(MEASURES)
    assert all(min(row.values()) > 0 for row in rows.values())
    assert rows["mad-distance"]["value"] > max(rows[name]["value"] for name in ("mad", "nmi", "ngf"))


def test_medians_are_written(tmp_path):
    rows = [
        {"case": case, "measure": "mad", "set up": 1.0, "value": value, "value and gradient": 2 * value}
        for case, value in zip("abc", (0.1, 0.2, 0.9), strict=True)
    ]
    text = write_costs(rows, "Commit abc", tmp_path)
    assert "| mad | 1.000 | 0.200 | 0.400 | 0.200 to 1.800 | 32.0 |" in text
    page = (tmp_path / "costs.md").read_text(encoding="utf-8")
    assert text in page and "Commit abc" in page and (tmp_path / "costs.csv").is_file()
