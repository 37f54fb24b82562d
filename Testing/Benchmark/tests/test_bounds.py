"""Misalignments are as far off as they are said to be, and the bound holds as often as it is said to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from madreg.image.geometry import apply, mean_displacement
from madreg.quality import bound
from madreg_benchmark.cases.misaligned import KINDS, Misaligning
from madreg_benchmark.studies.bounds import (
    PARTS,
    bounded,
    calibrate,
    conformal_factor,
    coverage_table,
    fit_quantile,
    parts_of,
    write_bounds,
)

RESULTS = Path(__file__).resolve().parents[3] / "docs" / "results" / "bounds" / "bounds.jsonl"


def rows(pairs: int, poses: int, seed: int = 0) -> list[dict]:
    """Assessments whose true error is the estimate plus twice the deformation, as much again at random."""
    rng = np.random.default_rng(seed)
    found = []
    for pair in range(pairs):
        for number in range(poses):
            estimate, deformation = rng.uniform(0, 8), rng.uniform(0.3, 2)
            found.append(
                {
                    "case": f"pair_{pair:02d}",
                    "contrast": ("CT-T1", "T1-T2")[pair % 2],
                    "kind": "rigid",
                    "number": number,
                    "true_mm": (estimate + 2 * deformation) * rng.uniform(0.2, 1.2),
                    "estimate_mm": estimate,
                    "deformation_mm": deformation,
                    "verdict": "check",
                    "is_mirrored": False,
                }
            )
    return found


def test_thirds_do_not_share_a_pair():
    found = rows(12, 2)
    part = parts_of(found)
    assert sorted(part) == sorted({row["case"] for row in found})
    for contrast in ("CT-T1", "T1-T2"):
        names = {row["case"] for row in found if row["contrast"] == contrast}
        assert [sum(part[name] == one for name in names) for one in range(PARTS)] == [2, 2, 2]


def test_a_quantile_is_met_and_its_coefficients_are_found():
    found = rows(30, 30)
    coefficients = fit_quantile(found)
    assert coefficients == pytest.approx([0, 1.15, 2.3], abs=0.2)
    within = [row["true_mm"] <= coefficients @ [1, row["estimate_mm"], row["deformation_mm"]] for row in found]
    assert np.mean(within) == pytest.approx(0.95, abs=0.01)


def test_the_factor_leaves_room_for_few_cases():
    values = np.arange(1.0, 101.0)
    assert conformal_factor(values) == 96  # of 101 places, the 96th
    assert np.isinf(conformal_factor(values[:10]))


def test_the_bound_of_other_pairs_holds_in_95_of_100():
    found = rows(60, 30)
    within = []
    for checked in range(PARTS):
        calibration, check = calibrate(found, checked)
        within += [row["true_mm"] <= calibration.bound(row) for row in check]
    assert len(within) == len(found) and np.mean(within) == pytest.approx(0.95, abs=0.015)


def test_what_has_no_bound_is_not_counted():
    row = rows(1, 1)[0]
    assert bounded(row)
    for change in ({"verdict": "failed"}, {"kind": "other person"}, {"true_mm": None}, {"estimate_mm": None}):
        assert not bounded({**row, **change})


def test_tables_and_the_plot_are_written(tmp_path):
    found = rows(12, 10)
    text = write_bounds(found, "Commit abc", tmp_path)
    assert coverage_table(found) in text and "| rigid | 120 |" in text
    assert "Commit abc" in (tmp_path / "bounds.md").read_text(encoding="utf-8")
    assert (tmp_path / "bounds.png").stat().st_size > 10_000
    assert len((tmp_path / "bounds.csv").read_text(encoding="utf-8").splitlines()) == 121


def test_the_constants_are_those_of_the_results():
    found = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    calibration, _ = calibrate(found)
    assert calibration.coefficients == pytest.approx([bound.CONSTANT_MM, bound.ERROR, bound.DEFORMATION], abs=0.001)
    assert calibration.factor == pytest.approx(bound.FACTOR, abs=0.001)


@pytest.fixture(scope="module")
def misaligning(cases):
    return Misaligning(cases, Path(), 0)


def test_misalignments_are_drawn_from_the_seed(cases, misaligning):
    keys = misaligning.keys()
    assert {key["kind"] for key in keys} == set(KINDS)
    first, again = (Misaligning(cases, Path(), seed).make(cases[0], "rigid", 1).pose for seed in (0, 0))
    assert (first == again).all()
    assert (Misaligning(cases, Path(), 1).make(cases[0], "rigid", 1).pose != first).any()


@pytest.mark.parametrize("kind", ["right", "rigid", "far", "stretched", "flipped"])
def test_a_pose_is_as_far_off_as_is_said(cases, misaligning, kind):
    made = misaligning.make(cases[0], kind, 0)
    assert made.true_mm == pytest.approx(mean_displacement(made.pose, cases[0].truth, made.pair.points))
    low, high = {"right": (0, 0), "rigid": (0.5, 14), "far": (14, 40), "stretched": (0.5, 10), "flipped": (40, 300)}[
        kind
    ]
    assert low <= made.true_mm <= high


def test_a_deformed_scan_shows_what_was_there_at_another_place(cases, misaligning):
    """The true error is the distance to where the deformed scan shows what the fixed points were matched with."""
    made = misaligning.make(cases[0], "deformed", 0)
    before = misaligning.make(cases[0], "right", 0)
    assert 0.5 < made.true_mm < 10
    assert float((made.pair.moving.data - before.pair.moving.data).abs().mean()) > 0.01
    points = apply(cases[0].truth, before.pair.points)
    assert made.pair.moving.overlap_fraction(points) > 0.8
