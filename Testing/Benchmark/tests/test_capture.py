"""Poses along axes are displaced as asked, and the reach of a descent with a known basin is found."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from madreg.image.geometry import apply, rotation_angle
from madreg_benchmark.studies.axes import Pair
from madreg_benchmark.studies.capture import by_case, descend, reached, write_capture
from translation import translation_matrix

LADDER = (20, 40, 60, 80, 100, 120)


@pytest.fixture(scope="module")
def phantom(cases) -> Pair:
    return Pair(cases[0], device="cpu")


@pytest.fixture(scope="module")
def pair(phantom) -> Pair:
    """The same with another truth, for what does not look at the scans."""
    return Pair(replace(phantom.case, truth=translation_matrix(5.0)), device="cpu")


@pytest.mark.parametrize("basin", [0, 10, 30, 60, 100, 500])
def test_the_reach_is_the_last_rung_within_the_basin(basin):
    tried = []

    def converges(amount):
        tried.append(amount)
        return amount <= basin

    assert reached(converges, LADDER) == max([0, *(rung for rung in LADDER if rung <= basin)])
    assert len(tried) == len(set(tried)) <= 4


def test_a_basin_with_a_hole_ends_at_the_hole():
    assert reached(lambda amount: amount != 80, LADDER) == 60


def test_poses_along_axes_are_displaced_by_mm_and_degrees(pair):
    middle = pair.points.mean(0)
    moved = pair.along("translation", "y", -30.0)
    assert pair.error(moved) == pytest.approx(30)
    assert apply(moved, middle) - apply(pair.case.truth, middle) == pytest.approx([0, -30, 0])
    rotated = pair.along("rotation", "z", 90.0)
    assert rotation_angle(rotated[:3, :3]) == pytest.approx(90)
    assert apply(rotated, middle) == pytest.approx(apply(pair.case.truth, middle))
    left = apply(rotated, middle + [1.0, 0, 0]) - apply(rotated, middle)
    assert left == pytest.approx([0, 1, 0], abs=1e-9)


class Bowl:
    """Smallest at the truth, and flat beyond 50 mm."""

    name = "bowl"

    def __init__(self, truth: np.ndarray, point: np.ndarray) -> None:
        self.point = torch.as_tensor(np.append(point, 1.0))
        self.goal = torch.as_tensor(truth) @ self.point

    def __call__(self, matrices: torch.Tensor) -> torch.Tensor:
        return (matrices @ self.point - self.goal).norm(dim=-1).clamp(max=50.0)


def test_descent_converges_within_a_known_basin_alone(pair):
    known = Pair(pair.case, device="cpu")
    known.__dict__["measures"] = {"bowl": Bowl(pair.case.truth, pair.points.mean(0))}
    assert descend(known, "bowl", known.along("translation", "x", 40.0)) < 1
    assert descend(known, "bowl", known.along("translation", "x", 60.0)) == pytest.approx(60)


@pytest.mark.slow
def test_nmi_converges_on_a_synthetic_head(phantom):
    assert descend(phantom, "nmi", phantom.along("translation", "x", 20.0)) < 2


def row(measure: str, kind: str, direction: str, reach: float, case: str = "a") -> dict:
    return {
        "case": case,
        "contrast": "CT-T1",
        "measure": measure,
        "kind": kind,
        "direction": direction,
        "reach": reach,
        "errors": {"20": reach / 20},
    }


def test_reaches_are_summed_up_by_case_and_over_all(tmp_path):
    rows = [
        row("mad", "translation", "+x", 100),
        row("mad", "translation", "-y", 40),
        row("mad", "rotation", "+x", 60),
        row("mad", "translation", "+x", 10, "b"),
        row("mad", "rotation", "+x", 20, "b"),
    ]
    assert by_case(rows) == [
        ["a", "mad", "70", "40", "+x 100 -y 40", "60", "60", "+x 60", "2.50"],
        ["b", "mad", "10", "10", "+x 10", "20", "20", "+x 20", "0.75"],
        ["all", "mad", "50", "10", "", "40", "20", "", "1.50"],
    ]
    text = write_capture(rows, "Commit abc", tmp_path)
    with (tmp_path / "capture.csv").open(encoding="utf-8") as file:
        assert [line["case"] for line in csv.DictReader(file)] == ["a", "b", "all"]
    assert text in (tmp_path / "capture.md").read_text(encoding="utf-8") and "Commit abc" in (
        tmp_path / "capture.md"
    ).read_text(encoding="utf-8")
    assert (tmp_path / "capture.png").stat().st_size > 10_000 and (tmp_path / "capture.svg").is_file()
