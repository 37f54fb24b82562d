"""Ablations: variants differ in one thing, budgets are equal, what is done is not done again."""

import csv
from dataclasses import fields

import numpy as np
import pytest

from madreg.image.geometry import apply
from madreg.image.pair import SPACING
from madreg.learn.appearance import Appearance
from madreg.measures import MEASURES
from madreg.network.settings import FusedSettings, SiameseSettings
from madreg.pipeline.registration import register
from madreg.settings import Settings
from madreg_benchmark.methods.alone import register_alone
from madreg_benchmark.methods.matched_ssd import MatchedSSD, with_histogram_of
from madreg_benchmark.studies import ablations, trainings
from madreg_benchmark.studies.ablations import CLASSICAL, PAGE, REFERENCE, STUDY, VARIANTS, measure_ablations
from madreg_benchmark.studies.study import Setting
from madreg_benchmark.studies.trainings import DRAWN, SHIPPED, Budget, Variant
from madreg_benchmark.studies.trainings_report import write_trainings

TINY = Budget(pairs=8, size=16, validation=3, steps=1, resamples=20, timed=1)
SMALL = (
    Variant("first", "reference", "", SiameseSettings(width=4, depth=1, features=8)),
    Variant("other appearance", "diversity", "", SiameseSettings(width=4, depth=1, features=8), Appearance(layers=0)),
    Variant("other network", "architecture", "", FusedSettings((4, 4, 4), (1, 1))),
)


def differing(one, other) -> list[str]:
    return [field.name for field in fields(one) if getattr(one, field.name) != getattr(other, field.name)]


def test_every_variant_differs_from_the_reference_in_one_thing():
    assert VARIANTS[0] is REFERENCE and len({variant.name for variant in VARIANTS}) == len(VARIANTS)
    for variant in VARIANTS[1:]:
        where = set(differing(variant, REFERENCE)) - {"name", "group", "differs"}
        assert len(where) == 1, variant.name
        if where == {"appearance"}:
            assert variant.group == "diversity"
            inside = differing(variant.appearance, REFERENCE.appearance)
            assert len(inside) == 1 or variant.name == "layers 0"  # which is T1w as it is
        assert where != {"network"} or variant.group == "architecture"


@pytest.mark.slow
def test_budgets_are_equal_and_what_is_done_is_not_done_again(quick_study, cases, training_heads, monkeypatch):
    """The quick form of the study, with small networks, whose processor time is measured and replaced."""
    monkeypatch.setattr(trainings, "synthetic_heads", lambda: training_heads)
    monkeypatch.setattr(ablations, "_plan", lambda setting: (SMALL, TINY))
    cost, measured = {"first": 0.02, "other network": 0.005}, {}
    measure = ablations.seconds_per_pair

    def seconds_per_pair(trainer, variant):
        measured[variant.name] = measure(trainer, variant)
        return cost[variant.name]

    monkeypatch.setattr(ablations, "seconds_per_pair", seconds_per_pair)
    monkeypatch.setattr(ablations, "TIMINGS", 1)
    done = []
    train = trainings.train
    monkeypatch.setattr(trainings, "train", lambda *args, **more: done.append(args[4].steps) or train(*args, **more))
    setting = Setting(cases[:1], quick_study("ablations"), True, device="cpu")
    assert done and set(measured) == set(cost) and min(measured.values()) > 0

    done.clear()
    found = measure_ablations(setting, SMALL, TINY)
    assert not done  # the rows of the command
    # as many pairs for other appearances, as much processor time for other networks: 4 times the pairs at 1/4 the cost
    assert [row["pairs"] for row in found.trained] == [8, 8, 32, None]
    assert found.trained[-1]["variant"] == SHIPPED.name
    assert set(found.trained[0]["figures"]) == {DRAWN, "CT-T1"}
    by = [row["by"] for row in found.registered]
    assert set(by) == {*CLASSICAL, SHIPPED.name, *(variant.name for variant in SMALL)}
    assert by.count("NMI") == 2 and by.count("first") == 1
    assert STUDY.units(setting) == 2 + len(found.trained) + len(found.registered)

    assert measure_ablations(setting, SMALL, TINY) == found and not done
    (setting.out / "trained.jsonl").unlink()
    again = measure_ablations(setting, SMALL, TINY)  # from the checkpoints
    assert [row["figures"] for row in again.trained] == [row["figures"] for row in found.trained]
    assert found.trained[0]["figures"][DRAWN] != found.trained[1]["figures"][DRAWN]

    text = write_trainings(PAGE, found, "Commit abc", setting.out)
    with (setting.out / "ablations.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["variant"], row["kind"]) for row in rows[:2]] == [("first", DRAWN), ("first", "CT-T1")]
    assert float(rows[0]["mae"]) == found.trained[0]["figures"][DRAWN]["mae"]
    assert "other network" in text and "Commit abc" in (setting.out / "ablations.md").read_text(encoding="utf-8")
    assert (setting.out / "ablations.png").stat().st_size > 10_000


@pytest.mark.slow
def test_alone_is_what_registration_does_with_a_measure(head, make_volume, grid_of, turn):
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn((1, 0, 1), 8), [6, -4, 5]
    fixed = make_volume(head.ct, grid_of("straight"))
    moving = make_volume(head.mr, grid_of("oblique"), pose)

    def nmi(a, b):
        return MEASURES["nmi"](a.resampled(SPACING), b.resampled(SPACING))

    known = register(fixed, moving, Settings(measure="nmi", init="geometry", device="cpu")).matrix
    assert np.allclose(register_alone(fixed, moving, nmi), known, atol=1e-6)


@pytest.mark.slow
def test_matched_histograms_serve_where_intensities_keep_their_order(head, make_volume, grid_of, spots, turn):
    grid = grid_of("straight")
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn((0, 1, 1), 6), [8, -6, 4]
    fixed = make_volume(head.ct, grid)
    other = make_volume(lambda points: head.ct(points) ** 0.5, grid)
    before = float((other.data - fixed.data).abs().mean())
    assert float((with_histogram_of(other, fixed).data - fixed.data).abs().mean()) < 0.5 * before

    def error(appearance) -> float:
        moving = make_volume(appearance, grid, pose)
        found = register_alone(fixed, moving, MatchedSSD)
        return float(np.linalg.norm(apply(found, spots) - apply(pose, spots), axis=1).mean())

    assert error(lambda points: head.ct(points) ** 0.5) < 1.0  # mm
    assert error(head.mr) > 2.0  # bone that is dark instead of bright: no mapping in order brings that together
