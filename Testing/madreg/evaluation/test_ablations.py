"""Ablations: variants differ in one thing, budgets are equal, what is done is not done again, figures are right."""

import csv
import shutil
from dataclasses import fields

import numpy as np
import pytest

from madreg.appearance import Appearance
from madreg.errors import InputError
from madreg.evaluation import ablations
from madreg.evaluation.ablations import (
    CLASSICAL,
    DRAWN,
    REFERENCE,
    SHIPPED,
    VARIANTS,
    Budget,
    Variant,
    measure_ablations,
    split,
    training_files,
    with_intervals,
    write_ablations,
)
from madreg.evaluation.alone import register_alone
from madreg.evaluation.matched_ssd import MatchedSSD, with_histogram_of
from madreg.evaluation.phantom import write_cases
from madreg.evaluation.studies import Setting
from madreg.geometry import apply
from madreg.measures import MEASURES
from madreg.network import FusedSettings, SiameseSettings
from madreg.registration import SINGLE_SPACING, Settings, register

TINY = Budget(pairs=8, size=16, validation=3, steps=1)
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


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("cases"))


@pytest.fixture(scope="module")
def heads():
    return ablations.made_up_heads()


@pytest.fixture
def setting(tmp_path, cases):
    ticks = []
    return Setting(cases[:1], tmp_path, True, device="cpu", on_unit=lambda: ticks.append(1)), ticks


def test_budgets_are_equal_and_what_is_done_is_not_done_again(setting, heads, monkeypatch):
    setting, ticks = setting
    monkeypatch.setattr(ablations, "made_up_heads", lambda: heads)
    cost = {"first": 0.02, "other network": 0.005}
    monkeypatch.setattr(ablations._Trainer, "seconds_per_pair", lambda self, variant: cost[variant.name])
    done = []
    train = ablations.train
    monkeypatch.setattr(ablations, "train", lambda *args, **more: done.append(args[4].steps) or train(*args, **more))
    found = measure_ablations(setting, SMALL, TINY)
    # as many pairs for other appearances, as much processor time for other networks: 4 times the pairs at 1/4 the cost
    assert [row["pairs"] for row in found.trained] == [8, 8, 32, None]
    assert found.trained[-1]["variant"] == SHIPPED
    assert set(found.trained[0]["figures"]) == {DRAWN, "CT-T1"}
    by = [row["by"] for row in found.registered]
    assert set(by) == {*CLASSICAL, SHIPPED, *(variant.name for variant in SMALL)}
    assert by.count("NMI") == 2 and by.count("first") == 1
    assert len(ticks) == 2 + len(found.trained) + len(found.registered)

    done.clear()
    assert measure_ablations(setting, SMALL, TINY) == found and not done
    (setting.out / "trained.jsonl").unlink()
    again = measure_ablations(setting, SMALL, TINY)  # from the checkpoints
    assert [row["figures"] for row in again.trained] == [row["figures"] for row in found.trained]
    assert found.trained[0]["figures"][DRAWN] != found.trained[1]["figures"][DRAWN]

    text = write_ablations(found.trained, found.registered, "Commit abc", setting.out)
    with (setting.out / "ablations.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["variant"], row["kind"]) for row in rows[:2]] == [("first", DRAWN), ("first", "CT-T1")]
    assert float(rows[0]["mae"]) == found.trained[0]["figures"][DRAWN]["mae"]
    assert "other network" in text and "Commit abc" in (setting.out / "ablations.md").read_text()
    assert (setting.out / "ablations.png").stat().st_size > 10_000


def test_the_last_scans_of_a_folder_are_held_out(tmp_path):
    for name, count in {"many": 7, "few": 2, "labels": 0}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "sub-01_T2w.nii.gz").touch()
        for number in range(count):
            (tmp_path / name / f"sub-{number:02d}_T1w.nii.gz").touch()
    training, held_out = split(training_files(tmp_path))
    assert [[path.name[4:6] for path in group] for group in training] == [["00", "01"], ["00", "01", "02", "03", "04"]]
    assert [[path.name[4:6] for path in group] for group in held_out] == [["05", "06"]]
    with pytest.raises(InputError, match="has no folder with 5 files"):
        training_files(tmp_path / "many")
    with pytest.raises(InputError, match="--data"):
        training_files(None)


def test_intervals_are_over_pairs():
    pair = np.repeat(np.arange(10), 50)
    truth = np.tile(np.linspace(1, 50, 50), 10)
    exact = with_intervals(truth, truth, pair)
    assert exact["mae"] == 0 and exact["mae_interval"] == [0, 0] and exact["pearson"] == exact["spearman"] == 1
    uneven = with_intervals(truth, truth + np.where(pair < 5, 8.0, 2.0), pair)
    low, high = uneven["mae_interval"]
    assert uneven["mae"] == 5 and 2.5 < low < 4 and 6 < high < 7.5  # a bootstrap over points would say 4.7 to 5.3


def test_alone_is_what_registration_does_with_a_measure(head, make_volume, grid_of, turn):
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn((1, 0, 1), 8), [6, -4, 5]
    fixed = make_volume(head.ct, grid_of("straight"))
    moving = make_volume(head.mr, grid_of("oblique"), pose)

    def nmi(a, b):
        return MEASURES["nmi"](a.resampled(SINGLE_SPACING), b.resampled(SINGLE_SPACING))

    known = register(fixed, moving, Settings(measure="nmi", init="geometry", device="cpu")).matrix
    assert np.allclose(register_alone(fixed, moving, nmi), known, atol=1e-6)


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


def test_scans_come_from_files_where_there_is_data(tmp_path, cases):
    (tmp_path / "group").mkdir()
    for number in range(5):
        shutil.copy(cases[1].fixed, tmp_path / "group" / f"sub-{number}_T1w.nii.gz")
    training, held_out = ablations._Trainer(Setting(cases[:1], tmp_path, data=tmp_path), TINY).scans
    assert [len(group) for group in training] == [3] and [len(group) for group in held_out] == [2]
