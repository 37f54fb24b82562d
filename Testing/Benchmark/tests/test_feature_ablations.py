"""Ablations of features: one thing differs, longer trainings go on from shorter ones, persons are held out."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from fewer import fewer_steps
from madreg.errors import InputError
from madreg.image.pair import Pair
from madreg.learn.bodies import Body
from madreg.learn.synthetic_bodies import synthetic_body
from madreg.learn.views import ViewSettings
from madreg.network import weights
from madreg_benchmark.cases.case import Case
from madreg_benchmark.running.rows import read_rows
from madreg_benchmark.studies import feature_trainings
from madreg_benchmark.studies.feature_ablations import (
    FAR_VARIANTS,
    REFERENCE,
    STUDY,
    VARIANTS,
    MeasureOfLevels,
    write_ablations,
)
from madreg_benchmark.studies.feature_trainings import (
    FOLDERS,
    SYNTHETIC,
    FeatureTrainer,
    FeatureVariant,
    Supply,
    held_out_files,
    read_training,
)
from madreg_benchmark.studies.study import Setting
from madreg_benchmark.studies.trainings import Found

TINY = Supply(2, 1, 1)


def test_every_variant_differs_from_the_reference_in_one_thing():
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS)
    for variant in VARIANTS:
        where = [
            field.name for field in fields(variant) if getattr(variant, field.name) != getattr(REFERENCE, field.name)
        ]
        assert len(set(where) - {"name", "differs"}) == (variant != REFERENCE), variant.name


def test_persons_are_held_out():
    files = [Path(f"sub-{number:02d}_T1w.nii.gz") for number in range(10, 0, -1)]
    learned, held_out = held_out_files(FOLDERS[0], files)
    assert [path.name[4:6] for path in learned] == ["01", "02", "03", "04", "05"]
    assert [path.name[4:6] for path in held_out] == ["06", "07", "08", "09", "10"]


def test_levels_go_by_contrast_and_variant():
    def units(contrast: str) -> int:
        return STUDY.units(Setting([Case("a", Path(), Path(), np.eye(4), contrast)], Path()))

    assert set(FAR_VARIANTS) < {variant.name for variant in VARIANTS}
    assert units("simulated CT-T1") - units("head T1-T2") == 3 * len(FAR_VARIANTS)
    assert units("simulated T1-T2") - units("head T1-T2") == len(FAR_VARIANTS)


def test_missing_data_are_named(tmp_path):
    with pytest.raises(InputError, match="ds000011"):
        read_training(tmp_path, TINY, 0)
    with pytest.raises(InputError, match="--data"):
        FeatureTrainer(Setting([], tmp_path), VARIANTS, TINY)


@pytest.fixture
def small_training(monkeypatch):
    """Bodies and views of them that are learned from are small."""

    def small_bodies(numbers, seed: int) -> list[Body]:
        return [
            Body(str(n), "labels", SYNTHETIC, synthetic_body(np.random.default_rng(n), (48, 48, 48))) for n in numbers
        ]

    def small_views(**how) -> ViewSettings:
        return ViewSettings(shapes=((32, 32, 32), (32, 32, 48)), points=100, **how)

    monkeypatch.setattr(feature_trainings, "synthetic_bodies", small_bodies)
    monkeypatch.setattr(feature_trainings, "ViewSettings", small_views)


@pytest.mark.usefixtures("small_training")
def test_a_longer_training_goes_on_from_a_shorter_one(tmp_path, monkeypatch):
    def variant(pairs: int, rotation: float | None = None) -> FeatureVariant:
        return FeatureVariant(str(pairs), "", pairs, (SYNTHETIC,), rotation)

    short, long, other = variant(2), variant(4), variant(2, rotation=0.0)
    trainer = FeatureTrainer(Setting([], tmp_path, quick=True, device="cpu"), (long, short, other), TINY)
    train, done = feature_trainings.train_features, []
    monkeypatch.setattr(feature_trainings, "train_features", lambda *args: done.append(args[3]) or train(*args))
    files = [trainer.file(one) for one in (long, short, other)]
    assert done == [1, 2, 1] and len(set(files)) == 3
    assert trainer.file(long) == files[0] and len(done) == 3
    kernels = [weights.load_features(file)[0].state_dict()["levels.0.kernels.0.weight"] for file in files]
    assert not torch.equal(kernels[0], kernels[1]) and not torch.equal(kernels[1], kernels[2])


@pytest.mark.slow
def test_the_measure_compares_the_levels_of_a_variant(head, make_volume, grid_of):
    pair = Pair(*(make_volume(part, grid_of("straight")) for part in (head.ct, head.mr)))
    whole, fine, coarse = (
        MeasureOfLevels("mad", "rigid", None, levels).measure(pair) for levels in ((0, 1, 2), (0,), (1, 2))
    )
    assert whole.level_weights == {0: 1.0, 1: 1.0, 2: 1.0}
    assert fine.level_weights == fine.coarse().level_weights == {0: 1.0}
    assert coarse.level_weights == {1: 1.0, 2: 1.0} and coarse.coarse().level_weights == {1: 1.0, 2: 2.0}


def test_tables_sum_up_by_contrast_and_level(tmp_path):
    shares = {"T1w scans": [0.7, 0.85, 0.8]}
    trained = [{"variant": "reference", "differs": "", "pairs": 600, "recognized": shares, "commit": "abc"}]
    row = {"variant": "reference", "contrast": "CT-T1", "before_mm": 30.0, "seconds": 1.0, "commit": "abc"}
    errors = {("a", "large"): 1.0, ("b", "large"): 8.0, ("a", "cut"): 0.5}
    registered = [{**row, "case": case, "level": level, "error_mm": mm} for (case, level), mm in errors.items()]
    text = write_ablations(Found(trained, registered), "Commit abc", tmp_path)
    assert "| reference |  | 600 | 70.0, 85.0, 80.0 |" in text
    assert "| reference | 0.50 mm, 1/1 | 4.50 mm, 1/2 |" in text
    assert "| variant | CT-T1, cut | CT-T1, large |" in (tmp_path / "feature_ablations.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.usefixtures("small_training")
def test_a_synthetic_head_is_registered_with_features_of_four_pairs(quick_study):
    with fewer_steps():
        folder = quick_study("feature_ablations")
    rows = read_rows(folder / "registered.jsonl")
    assert [row["variant"] for row in rows] == ["reference", "without 2 mm"]
    assert all(row["error_mm"] < row["before_mm"] for row in rows)
    assert [row["pairs"] for row in read_rows(folder / "trained.jsonl")] == [4]
