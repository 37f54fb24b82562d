"""The width of a basin is that of the curve, and tables and plots hold every axis."""

import csv

import numpy as np
import pytest

from madreg.measures import MEASURES
from madreg_benchmark.running.rows import read_rows
from madreg_benchmark.studies.landscapes import CUT, basin, half_width, widths

AMOUNTS = np.arange(-100, 101, 5.0)


@pytest.mark.parametrize(("left", "right"), [(-100, 100), (-40, 65), (-15, 15)])
@pytest.mark.parametrize("bottom", [0, 5])
def test_the_basin_ends_where_the_curve_turns_down(left, right, bottom):
    values = np.abs(AMOUNTS - bottom)
    values[left > AMOUNTS] = -1.0
    values[right < AMOUNTS] = -1.0
    assert basin(AMOUNTS, values) == (left, right)


def test_a_plateau_and_a_deeper_minimum_far_off_are_no_part_of_the_basin():
    values = np.minimum(np.abs(AMOUNTS), 30.0)
    values[AMOUNTS == 80] = -50
    assert basin(AMOUNTS, values) == (-30, 30)
    assert basin(AMOUNTS, np.zeros_like(AMOUNTS))[0] == basin(AMOUNTS, np.zeros_like(AMOUNTS))[1]


def test_the_width_at_half_height():
    assert half_width(AMOUNTS, np.abs(AMOUNTS)) == pytest.approx(100)
    assert half_width(AMOUNTS, np.minimum(np.abs(AMOUNTS), 23.0)) == pytest.approx(23)
    assert half_width(AMOUNTS, np.where(AMOUNTS > 0, AMOUNTS, 0)) == pytest.approx(150)


@pytest.mark.slow
def test_a_synthetic_head_has_its_minima_at_the_true_pose(quick_study):
    out = quick_study("landscapes")
    rows = read_rows(out / "landscapes.jsonl")
    assert len(rows) == 7 * len(MEASURES)
    for row in rows:
        values = np.array(row["values"])
        assert len(values) == (25 if row["cut"] == CUT else 5)
        assert np.argmin(values) == len(values) // 2, row
    lines = widths(rows)
    assert [line[:2] for line in lines] == [["phantom_CT_T1", name] for name in MEASURES]
    assert all(float(cell) >= 50 for line in lines for cell in line[2:])
    with (out / "landscapes.csv").open(encoding="utf-8") as file:
        assert [line["measure"] for line in csv.DictReader(file)] == list(MEASURES)
    for name in ("landscapes", "landscapes_cut"):
        assert (out / f"{name}.png").stat().st_size > 10_000 and (out / f"{name}.svg").is_file()
