"""Designs of the search find a known displacement, candidates are put in order, and places are counted rightly."""

import csv
import json

import numpy as np
import pytest

from madreg.descent.refinement import CANDIDATES
from madreg.image.geometry import Grid, about, apply, mean_displacement
from madreg.image.pair import Pair
from madreg.image.volume import Volume
from madreg.measures.mad import MAD
from madreg.pose.search import COUNT
from madreg_benchmark.cases.trial import make_trial
from madreg_benchmark.methods.search_designs import (
    DESIGNS,
    LIKELY,
    ORDERS,
    EdgeStrength,
    LearnedFeatures,
    Tried,
    one_level,
    ordered,
    two_levels,
    values,
)
from madreg_benchmark.running.rows import read_rows
from madreg_benchmark.studies import designs
from madreg_benchmark.studies.designs import HEADER, by_design, by_order, draw, measure_designs, rank, write_designs
from madreg_benchmark.studies.study import Setting
from translation import translation_matrix


@pytest.fixture(scope="module")
def trial(cases, tmp_path_factory):
    """CT and T1w of a synthetic head, rotated by up to 180 degrees."""
    return make_trial(cases[0], "any", 0, tmp_path_factory.mktemp("trial"))


@pytest.fixture(scope="module")
def pair(trial):
    return designs.volumes_of(trial, "cpu")


FEW = {"learned features": 8, "displacement head": 4, "ngf one level": 200}
"""Rotations of designs that take long; the others begin with as many as in the whole study."""


@pytest.mark.slow
def test_every_design_finds_a_known_displacement(trial, quick_study, monkeypatch):
    """In the quick form of the study, of the same trial."""
    found = {}

    def noted(name: str, tried: Tried) -> Tried:
        def find(fixed, moving, rotations):
            found[name] = tried.find(fixed, moving, rotations)
            return found[name]

        return Tried(find, tried.rotations, FEW.get(name, tried.rotations))

    monkeypatch.setattr(designs, "DESIGNS", {name: noted(name, tried) for name, tried in DESIGNS.items()})
    rows = read_rows(quick_study("designs") / "designs.jsonl")
    assert [one["design"] for one in rows] == list(DESIGNS)
    for one in rows:
        name, poses = one["design"], found[one["design"]]
        assert 1 <= len(poses) <= COUNT, name
        for pose in poses:
            np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-6, err_msg=name)
        errors = [mean_displacement(pose, trial.truth, trial.points) for pose in poses]
        assert one["errors"] == pytest.approx(errors, abs=0.01), name
        assert min(errors) < 30 and errors != sorted(errors)[::-1], name  # a 180-degree flip is 100 mm


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["edges", "features"])
def test_other_features_agree_best_where_the_head_lies(kind, pair, trial):
    fixed, moving = pair
    if kind == "edges":
        correlation = EdgeStrength(fixed, moving, 10.0, 0.25)
    else:
        correlation = LearnedFeatures(fixed, moving, MAD(fixed, moving))
    right = trial.truth[:3, :3]
    rotations = np.array([right, right @ np.diag([1.0, -1, -1]), right @ np.diag([-1.0, 1, -1])])
    found = correlation.best(rotations, lambda share: None)
    assert mean_displacement(found[0].matrix, trial.truth, trial.points) < 10
    assert found[0].score > max(one.score for one in found[1:])


@pytest.mark.slow
def test_one_level_and_two_try_as_many_rotations_as_asked(pair, monkeypatch):
    tried = []

    class Counted(EdgeStrength):
        def best(self, rotations, report_progress, translations=1):
            tried.append((self.spacing, len(rotations)))
            return super().best(rotations, report_progress, translations)

    one_level(Counted, *pair, 5)
    two_levels(Counted, *pair, 70)
    assert tried == [(10.0, 5), (17.0, 70), (10.0, LIKELY)] and LIKELY < 70


@pytest.mark.slow
@pytest.mark.parametrize("name", list(ORDERS)[1:])
def test_an_order_puts_the_right_pose_first(name, pair, trial):
    center = trial.points.mean(0)
    near = trial.truth @ translation_matrix(3.0)
    wrong = [trial.truth @ about(center, np.diag(signs)) for signs in ((1.0, -1, -1), (-1.0, 1, -1))]
    order, _seconds = ordered(name, *pair, [wrong[0], near, wrong[1]])
    assert order[0] == 1 and sorted(order) == [0, 1, 2]


def test_the_search_has_its_own_order(pair):
    assert ordered("score of the search", *pair, [np.eye(4)] * 3)[0] == [0, 1, 2]


@pytest.mark.slow
def test_points_are_drawn_in_a_part_of_the_other_scan(pair, trial):
    fixed, moving = pair
    assert not Pair(fixed, moving).moving_is_part
    count = len(moving.data)
    middle = slice(count // 3, count // 3 + count // 3)
    matrix = moving.grid.matrix.copy()
    matrix[:3, 3] = apply(matrix, np.array([0.0, 0, middle.start]))
    size = (*moving.grid.size[:2], middle.stop - middle.start)
    slab = Volume("slab", moving.data[middle], Grid(size, matrix), moving.mask[middle])
    assert Pair(fixed, slab).moving_is_part
    off = trial.truth @ translation_matrix(20.0)
    right, wrong = values(CANDIDATES, fixed, slab, np.array([trial.truth, off]))
    assert right < wrong


def row(level: str, design: str, errors: list[float], seconds: float = 2.0, case: str = "a", **more) -> dict:
    return {
        "case": case,
        "level": level,
        "design": design,
        "rotations": 10,
        "errors": errors,
        "seconds": seconds,
        **more,
    }


def test_places_are_counted_from_one():
    assert rank(row("any", "ngf", [100, 25, 24.9, 3])) == 3
    assert rank(row("any", "ngf", [100, 25, 24.9, 3]), 15.0) == 4
    assert rank(row("any", "ngf", [100, 25])) is None
    assert rank(row("any", "ngf", [])) is None
    assert rank(row("any", "ngf", [100, 90, 3]), order=[2, 0, 1]) == 1


def orders(**given: list[int]) -> dict:
    return {name: [given.get(name.split()[0].rstrip(","), [0, 1, 2, 3]), 0.5] for name in ORDERS}


ROWS = [
    row("any", "ngf", [5, 100, 90, 80], 1.0, "a", orders=orders(NMI=[3, 2, 1, 0])),
    row("any", "ngf", [100, 5, 90, 80], 3.0, "b", orders=orders(NMI=[1, 2, 3, 0])),
    row("any", "ngf", [100, 90], 8.0, "c", orders=orders()),
    row("any", "moments", [70], 0.1, "a"),
    row("any", "moments", [60], 0.1, "b"),
    row("affine", "ngf", [18, 100, 90, 80], 2.0, "a", orders=orders()),
]


def test_designs_and_orders_are_summed_up(tmp_path):
    lines = [dict(zip(HEADER, line, strict=True)) for line in by_design(ROWS)]
    assert [
        (
            line["level"],
            line["design"],
            line["pairs"],
            line["right pose first"],
            line[f"among the first {COUNT}"],
            line["under 15 mm first"],
            line["median s"],
            line["longest s"],
        )
        for line in lines
    ] == [
        ("any", "ngf", "3", "1", "2", "1", "3.0", "8.0"),
        ("any", "moments", "2", "0", "0", "0", "0.1", "0.1"),
        ("affine", "ngf", "1", "1", "1", "0", "2.0", "2.0"),
        ("all", "ngf", "4", "2", "3", "1", "2.5", "8.0"),
        ("all", "moments", "2", "0", "0", "0", "0.1", "0.1"),
    ]
    found = {(line[0], line[1]): line[2:] for line in by_order(ROWS)}
    assert found["any", "score of the search"] == ["2", "1", "2", "2", "0.5"]  # the third pair has no right pose
    assert found["any", "NMI, 6 mm"] == ["2", "1", "1", "4", "0.5"]
    assert found["all", "score of the search"] == ["3", "2", "3", "2", "0.5"]

    text = write_designs(ROWS, "Commit abc", tmp_path)
    page = (tmp_path / "designs.md").read_text(encoding="utf-8")
    assert all(line in page for line in text.splitlines() if line) and page.count("Commit abc") == 2
    with (tmp_path / "designs.csv").open(encoding="utf-8") as file:
        assert [line["design"] for line in csv.DictReader(file)] == [line["design"] for line in lines]
    assert (tmp_path / "orders.csv").read_text(encoding="utf-8").count("\n") == 1 + len(found)
    assert (tmp_path / "designs.png").stat().st_size > 10_000 and "</svg>" in (tmp_path / "designs.svg").read_text(
        encoding="utf-8"
    )


def test_the_plot_shows_shares_and_seconds():
    first, second = draw(ROWS).axes
    assert [bar.get_width() for bar in first.patches] == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert [text.get_text() for text in first.texts] == ["3.0 s", "0.1 s"]
    assert [bar.get_width() for bar in second.patches] == [1, 1]


def test_a_study_that_was_cut_off_goes_on(cases, tmp_path, monkeypatch):
    asked = []

    def find(fixed, moving, rotations):
        asked.append(rotations)
        return [np.eye(4)]

    monkeypatch.setattr(designs, "DESIGNS", {"ngf": Tried(find, 9, 3), "other": Tried(find, 8, 2)})
    monkeypatch.setattr(designs, "ORDERS", {"score of the search": None})
    setting = Setting(cases, tmp_path, quick=True, device="cpu")
    rows = measure_designs(setting)
    assert [(one["case"], one["design"]) for one in rows] == [
        (case.name, design) for case in cases for design in ("ngf", "other")
    ]
    assert asked == [3, 2, 3, 2] and all(one["errors"][0] > 20 for one in rows)
    assert rows[0]["orders"]["score of the search"][0] == [0] and "orders" not in rows[1]
    kept = (tmp_path / "designs.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "designs.jsonl").write_text("\n".join(kept[:3]) + '\n{"case": "phan', encoding="utf-8")
    again = measure_designs(setting)
    assert asked == [3, 2, 3, 2, 2] and [one["errors"] for one in again] == [one["errors"] for one in rows]
    assert [
        json.loads(line)["design"] for line in (tmp_path / "designs.jsonl").read_text(encoding="utf-8").splitlines()
    ] == [
        "ngf",
        "other",
    ] * 2
