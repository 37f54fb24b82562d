"""Anatomy: who learns from what, bodies that are measured on are not learned from, rows are made once."""

import csv

import numpy as np
import pytest

from madreg_benchmark.cases.synthetic_body import Body
from madreg_benchmark.studies import anatomy, trainings
from madreg_benchmark.studies.anatomy import (
    BODIES,
    BOTH,
    HEADS,
    HELD_OUT_BODIES,
    HELD_OUT_HEADS,
    LEARNED,
    MEASURED,
    PAGE,
    REGISTERED,
    VARIANTS,
    AnatomyTrainer,
    Supply,
    measure_anatomy,
)
from madreg_benchmark.studies.study import Setting
from madreg_benchmark.studies.trainings import SHIPPED, Budget
from madreg_benchmark.studies.trainings_report import write_trainings

TINY = Budget(pairs=4, size=16, validation=2, steps=1, resamples=20)
FEW = Supply(1, 1, 1)


@pytest.fixture(scope="module")
def setting(cases, tmp_path_factory):
    return Setting(cases[:1], tmp_path_factory.mktemp("anatomy"), True, device="cpu")


@pytest.fixture(scope="module")
def trainer(setting):
    return AnatomyTrainer(setting, TINY, FEW)


@pytest.fixture(scope="module")
def trainer_of_heads(trainer, training_heads):
    """The same, whose heads are those that other tests train on."""
    trainer.scans = training_heads
    return trainer


@pytest.mark.slow
def test_variants_differ_in_what_they_learn_from_alone(trainer_of_heads):
    trainer = trainer_of_heads
    assert len({(variant.network, variant.appearance, variant.seed) for variant in VARIANTS}) == 1
    heads, both, bodies = (trainer.groups(variant) for variant in (HEADS, BOTH, BODIES))
    assert heads == trainer.scans[0] and bodies == [trainer.bodies]
    # each group is drawn equally often
    assert [group is trainer.bodies for group in both].count(True) * 2 == len(both)
    assert [group for group in both if group is not trainer.bodies] == heads


def test_no_body_serves_two_purposes(trainer):
    seeds = [trainer.seed(purpose, number) for purpose in (LEARNED, MEASURED, REGISTERED) for number in range(40)]
    seeds += [*range(24), *range(1000, 1024)]  # of the study of bodies
    outlines = {tuple(Body(np.random.default_rng(seed)).outline) for seed in seeds}
    assert len(outlines) == len(seeds)


@pytest.mark.slow
def test_rows_are_made_once_and_written(cases, trainer_of_heads, quick_study, monkeypatch):
    trainer = trainer_of_heads
    monkeypatch.setattr(trainings, "synthetic_heads", lambda: trainer.scans)
    monkeypatch.setattr(AnatomyTrainer, "bodies", trainer.bodies)
    monkeypatch.setattr(anatomy, "_plan", lambda setting: (TINY, FEW))
    done = []
    train = trainings.train
    monkeypatch.setattr(trainings, "train", lambda *args, **more: done.append(args[1].name) or train(*args, **more))
    setting = Setting(cases[:1], quick_study("anatomy"), True, device="cpu")
    assert len(set(done)) == 3
    done.clear()
    found = measure_anatomy(setting, TINY, FEW)
    assert not done  # the rows of the command
    names = [*(variant.name for variant in VARIANTS), SHIPPED.name]
    assert [row["variant"] for row in found.trained] == names
    assert [row["pairs"] for row in found.trained] == [4, 4, 4, None]
    assert all(set(row["figures"]) == {HELD_OUT_HEADS, "CT-T1", HELD_OUT_BODIES} for row in found.trained)
    on_bodies = [row["figures"][HELD_OUT_BODIES] for row in found.trained]
    assert len({str(of) for of in on_bodies}) == 4  # different networks
    assert len({of["mae_of_the_median"] for of in on_bodies}) == 1  # on the same pairs
    assert [(row["by"], row["case"]) for row in found.registered] == [
        (name, case) for case in ("phantom_CT_T1", "body 1") for name in names
    ]

    kept = (setting.out / "registered.jsonl").read_text(encoding="utf-8").splitlines()[:-2]
    (setting.out / "registered.jsonl").write_text("\n".join(kept) + "\n", encoding="utf-8")
    monkeypatch.setattr(AnatomyTrainer, "groups", lambda self, variant: pytest.fail("what is trained needs no scan"))
    again = measure_anatomy(setting, TINY, FEW).registered
    assert [row["error_mm"] for row in again] == [row["error_mm"] for row in found.registered]

    text = write_trainings(PAGE, found, "Commit abc", setting.out)
    with (setting.out / "anatomy.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] for row in rows[:3]] == [HELD_OUT_HEADS, "CT-T1", HELD_OUT_BODIES]
    assert float(rows[2]["mae"]) == found.trained[0]["figures"][HELD_OUT_BODIES]["mae"]
    assert "| heads and bodies |" in text and "Commit abc" in (setting.out / "anatomy.md").read_text(encoding="utf-8")
    assert (setting.out / "anatomy.png").stat().st_size > 10_000
