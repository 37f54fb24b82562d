"""Misalignments are as far off as they are said to be, and the bound holds as often as it is said to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from madreg.image.geometry import apply, mean_displacement
from madreg.quality import bound
from madreg_benchmark.cases.calibration import FIXED, LABEL_MAP
from madreg_benchmark.cases.misaligned import KINDS, OTHERS, Misaligning
from madreg_benchmark.cases.regions import RADII_MM, Regions
from madreg_benchmark.studies.bound_calibration import (
    PARTS,
    REGION,
    WHOLE,
    bounded,
    calibrate,
    conformal_factor,
    fit_quantile,
    parts_of,
)
from madreg_benchmark.studies.bounds import coverage_table, estimate_table, write_bounds

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
                    "motion_mm": estimate,
                    "deformation_mm": deformation,
                    "verdict": "check",
                    "is_mirrored": False,
                    "may_be_other_body": False,
                    "has_other_shape": False,
                    "regions": regions(np.random.default_rng([seed, pair, number]), deformation),
                }
            )
    return found


def regions(rng: np.random.Generator, deformation: float) -> list[dict]:
    """A sphere, and a structure in which nothing is known; true errors as in :func:`rows`, of the local estimate."""
    mean = rng.uniform(0, 8)
    true = (mean + 2 * deformation) * rng.uniform(0.2, 1.2)
    sphere = {"name": "sphere", "volume_ml": 5.0, "known": 1.0, "true_mm": true, "mean_mm": mean, "largest_mm": 9.0}
    return [sphere, {**sphere, "name": "17", "known": 0.0, "mean_mm": None, "largest_mm": None}]


def test_thirds_do_not_share_a_pair():
    found = rows(12, 2)
    part = parts_of(found)
    assert sorted(part) == sorted({row["case"] for row in found})
    for contrast in ("CT-T1", "T1-T2"):
        names = {row["case"] for row in found if row["contrast"] == contrast}
        assert [sum(part[name] == one for name in names) for one in range(PARTS)] == [2, 2, 2]


def test_a_quantile_is_met_and_its_coefficients_are_found():
    found = rows(30, 30)
    coefficients = fit_quantile(found, WHOLE)
    assert coefficients == pytest.approx([0, 1.15, 2.3], abs=0.2)
    within = [row["true_mm"] <= coefficients @ [1, row["motion_mm"], row["deformation_mm"]] for row in found]
    assert np.mean(within) == pytest.approx(0.95, abs=0.01)


def test_the_factor_leaves_room_for_few_cases():
    values = np.arange(1.0, 101.0)
    assert conformal_factor(values) == 96  # of 101 places, the 96th
    assert np.isinf(conformal_factor(values[:10]))


def test_the_bound_of_other_pairs_holds_in_95_of_100():
    found = rows(60, 30)
    within = []
    for checked in range(PARTS):
        calibration, check = calibrate(found, WHOLE, checked)
        within += [row["true_mm"] <= calibration.bound(row) for row in check]
    assert len(within) == len(found) and np.mean(within) == pytest.approx(0.95, abs=0.015)


def test_what_has_no_bound_is_not_counted():
    row = rows(1, 1)[0]
    assert bounded(row)
    for change in (
        {"verdict": "failed"},
        {"is_mirrored": True},
        {"kind": "other person"},
        {"true_mm": None},
        {"estimate_mm": None},
    ):
        assert not bounded({**row, **change})


def test_tables_and_the_plot_are_written(tmp_path):
    found = rows(12, 10)
    text = write_bounds(found, "Commit abc", tmp_path)
    assert coverage_table(found) in text and "| rigid | 120 |" in text
    assert "Commit abc" in (tmp_path / "bounds.md").read_text(encoding="utf-8")
    assert (tmp_path / "bounds.png").stat().st_size > 10_000
    assert len((tmp_path / "bounds.csv").read_text(encoding="utf-8").splitlines()) == 121


def test_how_far_estimates_are_off_is_listed():
    pair = {**rows(1, 1)[0], "true_mm": 6.0, "estimate_mm": 4.5, "motion_mm": 2.0, "verdict": "check"}
    found = [pair, {**pair, "kind": "right", "true_mm": 0.0, "estimate_mm": 0.5, "motion_mm": 0.5}]
    text = estimate_table([*found, {**pair, "verdict": "aligned", "estimate_mm": 2.5}, {**pair, "verdict": "failed"}])
    assert "| all | 3 | 1.83 | -1.50 | 2.83 | 2 | 1 |" in text
    assert "| right | 1 | 0.50 | 0.50 | 0.50 | 0 | 0 |" in text and "| rigid | 2 | 2.50 |" in text


def test_the_bound_holds_in_the_worst_group():
    """Of deformed scans the true error is twice as large for what is known: the factor is theirs."""
    found = rows(60, 30)
    for row in found:
        if row["number"] % 10 == 0:
            row["kind"], row["true_mm"] = "deformed", 2 * row["true_mm"]
    calibration, check = calibrate(found)
    deformed = [row for row in check if row["kind"] == "deformed"]
    assert np.mean([row["true_mm"] <= calibration.bound(row) for row in deformed]) >= 0.93
    of_all = conformal_factor(calibration.quotients["all"]) / calibration.factor()  # without groups
    assert np.mean([row["true_mm"] <= of_all * calibration.bound(row) for row in check]) >= 0.93
    assert np.mean([row["true_mm"] <= of_all * calibration.bound(row) for row in deformed]) < 0.8


def test_regions_have_a_bound_of_their_own():
    found = rows(60, 30)
    calibration, check = calibrate(found, REGION)
    assert len(check) == len(found) / 3 and {row["form"] for row in check} == {"sphere"}
    assert calibration.coefficients == pytest.approx([0, 1.15, 2.3], abs=0.2)
    assert np.mean([row["true_mm"] <= calibration.bound(row) for row in check]) == pytest.approx(0.95, abs=0.03)
    assert "| 2 to 20 ml | 1800 |" in coverage_table(found, REGION)


def test_the_constants_are_those_of_the_results():
    found = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    for model, constants in ((WHOLE, bound.WHOLE[True]), (REGION, bound.REGION[True])):
        calibration = calibrate(found, model)[0]
        assert calibration.coefficients == pytest.approx(constants[1:], abs=0.001)
        assert calibration.factor() == pytest.approx(constants.factor, abs=0.001)


@pytest.fixture(scope="module")
def misaligning(cases):
    return Misaligning(cases, 0)


def test_misalignments_are_drawn_from_the_seed(cases, misaligning):
    keys = misaligning.keys()
    assert {key["kind"] for key in keys} == set(KINDS) - set(OTHERS)
    first, again = (Misaligning(cases, seed).make(cases[0], "rigid", 1).pose for seed in (0, 0))
    assert (first == again).all()
    assert (Misaligning(cases, 1).make(cases[0], "rigid", 1).pose != first).any()


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


def test_errors_of_regions_are_those_at_their_points(cases, misaligning):
    """About a stretch, errors grow from its middle: they are those of the pose at the points, not their mean."""
    made = misaligning.make(cases[0], "stretched", 0)
    points = made.pair.points[:50]
    wanted = np.linalg.norm(apply(made.pose, points) - apply(cases[0].truth, points), axis=1)
    assert made.errors_at(points) == pytest.approx(wanted) and np.ptp(wanted) > 1
    assert made.errors_at(made.pair.points).mean() == pytest.approx(made.true_mm)


def test_spheres_lie_in_the_body_and_are_as_large_as_they_say(cases, misaligning):
    pair = misaligning.make(cases[0], "right", 0).pair
    found = Regions(cases[0], pair)
    drawn, again = (list(found.draw(np.random.default_rng(3))) for _ in range(2))
    assert [one.name for one in drawn] == ["sphere"] * len(drawn) and 0 < len(drawn) <= len(RADII_MM)
    for one, same, radius in zip(drawn, again, RADII_MM, strict=False):
        assert (one.points == same.points).all()
        assert np.linalg.norm(one.points[:, None] - one.points[None, :200], axis=2).max() <= 2 * radius
        assert one.volume_ml <= 4.19 * (radius / 10) ** 3 * 1.2
    assert pair.fixed.sample(torch.as_tensor(drawn[-1].points, dtype=torch.float32))[1].min() > 0.5


def test_structures_are_those_of_the_label_map(cases, misaligning, tmp_path):
    pair = misaligning.make(cases[0], "right", 0).pair
    image = sitk.ReadImage(str(cases[0].fixed))
    labels = np.zeros(image.GetSize()[::-1], np.uint16)
    middle = tuple(n // 2 for n in labels.shape)
    labels[tuple(slice(n - 4, n + 4) for n in middle)] = 17
    labels[0, 0, :10] = 18  # too few voxels
    drawn_on = sitk.GetImageFromArray(labels)
    drawn_on.CopyInformation(image)
    sitk.WriteImage(drawn_on, str(tmp_path / f"a{LABEL_MAP}"))
    case = replace(cases[0], fixed=tmp_path / f"a{FIXED}")
    structures = [one for one in Regions(case, pair).draw(np.random.default_rng(0)) if one.name != "sphere"]
    (structure,) = structures
    wanted = image.TransformContinuousIndexToPhysicalPoint([n - 0.5 for n in middle[::-1]])
    assert structure.name == "17" and len(structure.points) == 512
    assert structure.points.mean(0) == pytest.approx(wanted, abs=1e-3)
    assert structure.volume_ml == pytest.approx(0.512 * np.prod(image.GetSpacing()))
