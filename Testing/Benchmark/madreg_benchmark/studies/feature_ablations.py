"""Which parts of the features matter: trained anew in variants that differ in one thing, and registered with.

Variants learn from as many pairs, except where that is what differs.  The measure ``mad`` is then minimized alone, as
in the study ``alone``, on pairs of persons from whom no variant learns.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from madreg.image.geometry import mean_displacement
from madreg.image.pair import Pair
from madreg.image.volume import Volume
from madreg.io.reading import read_volume
from madreg.measures.feature_mad import FeatureMAD, feature_mad_of
from madreg.pipeline.single_measure import SingleMeasure
from madreg_benchmark.cases.levels import LEVELS
from madreg_benchmark.cases.trial import make_trial
from madreg_benchmark.report.page import write_page
from madreg_benchmark.report.summary import share_right
from madreg_benchmark.report.tables import markdown, write_csv
from madreg_benchmark.studies.alone import registered_alone
from madreg_benchmark.studies.feature_trainings import (
    BRAINS,
    HEADS,
    MAPS,
    QUICK_SUPPLY,
    SYNTHETIC,
    FeatureTrainer,
    FeatureVariant,
    Supply,
)
from madreg_benchmark.studies.study import Setting, Study, collect
from madreg_benchmark.studies.trainings import Found

REFERENCE = FeatureVariant("reference", "learned as the bundled ones are")
VARIANTS = (
    FeatureVariant("bundled", "the bundled features", pairs=None),
    REFERENCE,
    FeatureVariant("second seed", "the reference with other pairs", seed=1),
    FeatureVariant("T1w scans", "no label maps, no synthetic bodies", groups=(HEADS, BRAINS)),
    FeatureVariant("label maps", "label maps of heads alone", groups=(MAPS,)),
    FeatureVariant("synthetic", "synthetic bodies alone", groups=(SYNTHETIC,)),
    FeatureVariant("rotation 0", "scans of a pair are not rotated against each other", rotation=0.0),
    FeatureVariant("rotation 20", "rotated by up to 20 degrees", rotation=20.0),
    FeatureVariant("rotation any", "rotated at random", rotation=180.0),
    FeatureVariant("76 pairs", "an eighth of the pairs", pairs=76),
    FeatureVariant("150 pairs", "a quarter of the pairs", pairs=150),
    FeatureVariant("300 pairs", "half of the pairs", pairs=300),
    FeatureVariant("1200 pairs", "twice the pairs", pairs=1200),
    FeatureVariant("without 2 mm", "the reference, compared at 4 and 8 mm only", levels=(1, 2)),
    FeatureVariant("2 mm alone", "the reference, compared at 2 mm only", levels=(0,)),
)
QUICK_VARIANTS = (
    replace(REFERENCE, pairs=4),
    replace(REFERENCE, name="without 2 mm", pairs=4, levels=(1, 2)),
)
FAR_LEVELS = ("cut", "large", "crop", "affine")
LEVELS_OF = {"simulated CT-T1": FAR_LEVELS, "simulated T1-T2": FAR_LEVELS[:2]}
"""Levels by contrast; others have the first alone."""
FAR_VARIANTS = ("bundled", "synthetic", "rotation any", "76 pairs", "without 2 mm")
"""Of each group the one that differs most; the others are tried at the first level alone."""


@dataclass(frozen=True)
class MeasureOfLevels(SingleMeasure):
    """The descent on MAD from features, of which some levels alone are compared.

    Attributes:
        levels: of the network, by number.
    """

    levels: tuple[int, ...] = (0, 1, 2)

    def measure(self, pair: Pair) -> FeatureMAD:
        """The measure of a pair."""
        made = copy.copy(feature_mad_of(pair, self.weights))
        made.level_weights = dict.fromkeys(self.levels, 1.0)
        return made


def _plan(setting: Setting) -> tuple[Sequence[FeatureVariant], Supply, Sequence[str]]:
    return (QUICK_VARIANTS, QUICK_SUPPLY, FAR_LEVELS[:1]) if setting.quick else (VARIANTS, Supply(), FAR_LEVELS)


def _trained(variants: Sequence[FeatureVariant]) -> list[FeatureVariant]:
    """The variants with features of their own."""
    return [variant for variant in variants if variant.levels == REFERENCE.levels]


def _registrations(setting: Setting) -> list[dict]:
    """Keys of the registrations, by level and case: a run that is cut off has seen all variants on the same pairs."""
    variants, _, levels = _plan(setting)
    return [
        {"case": case.name, "contrast": case.contrast, "level": level, "variant": variant.name}
        for level in levels
        for case in setting.cases
        if level in LEVELS_OF.get(case.contrast, FAR_LEVELS[:1])
        for variant in variants
        if level == levels[0] or variant.name in FAR_VARIANTS
    ]


def measure_ablations(setting: Setting) -> Found:
    """Train and measure every variant; what ``setting.out`` holds is not done again.

    Raises:
        InputError: if the data or a case cannot be used, or ``out`` holds rows of another seed.
    """
    variants, supply, _ = _plan(setting)
    trainer = FeatureTrainer(setting, variants, supply)
    by_name = {variant.name: variant for variant in variants}
    cases = {case.name: case for case in setting.cases}

    def trained(key: dict) -> dict:
        return {"recognized": trainer.recognized(by_name[key["variant"]])}

    @lru_cache(maxsize=1)
    def displaced(name: str, level: str) -> tuple[Volume, Volume, np.ndarray, np.ndarray]:
        with tempfile.TemporaryDirectory() as folder:
            trial = make_trial(cases[name], level, 0, Path(folder))
            fixed, moving = (read_volume(path)[0] for path in (trial.fixed, trial.moving))
        return fixed, moving, trial.truth, trial.points

    def registered(key: dict) -> dict:
        fixed, moving, truth, points = displaced(key["case"], key["level"])
        variant, kind = by_name[key["variant"]], "rigid" if LEVELS[key["level"]].rigid else "affine"
        file = trainer.file(variant)
        stage = MeasureOfLevels("mad", kind, None if file is None else str(file), variant.levels)
        matrix, seconds = registered_alone(fixed, moving, stage, setting.seed)
        return {
            "before_mm": round(mean_displacement(np.eye(4), truth, points), 2),
            "error_mm": round(mean_displacement(matrix, truth, points), 3),
            "seconds": round(seconds, 2),
        }

    keys = [{"variant": variant.name, "pairs": variant.pairs} for variant in _trained(variants)]
    rows = collect(setting, "trained", keys, trained)
    rows = [{**row, "differs": by_name[row["variant"]].differs} for row in rows]
    return Found(rows, collect(setting, "registered", _registrations(setting), registered))


def recognition_table(rows: Sequence[dict]) -> str:
    """Share of held-out points whose right place is more alike, in per cent at 2, 4 and 8 mm: a line a training."""
    kinds = list(rows[0]["recognized"])
    lines = [
        [
            row["variant"],
            row["differs"],
            str(row["pairs"] or ""),
            *(", ".join(f"{100 * one:.1f}" for one in row["recognized"][kind]) for kind in kinds),
        ]
        for row in rows
    ]
    return markdown(["variant", "differs in", "pairs", *(f"{kind}, %" for kind in kinds)], lines)


def registration_table(rows: Sequence[dict]) -> str:
    """Mean error and successes by variant, for each contrast and level."""
    columns = sorted(
        {(row["contrast"], row["level"]) for row in rows}, key=lambda one: (one[0], FAR_LEVELS.index(one[1]))
    )
    lines = []
    for variant in dict.fromkeys(row["variant"] for row in rows):
        some = [row for row in rows if row["variant"] == variant]
        errors = [
            np.array([row["error_mm"] for row in some if (row["contrast"], row["level"]) == column])
            for column in columns
        ]
        lines.append([variant, *(f"{one.mean():.2f} mm, {share_right(one)}" if len(one) else "" for one in errors)])
    return markdown(["variant", *(f"{contrast}, {level}" for contrast, level in columns)], lines)


def write_ablations(found: Found, made_from: str, out: Path) -> str:
    """Write ``feature_ablations.csv``, ``feature_ablations_registered.csv`` and ``feature_ablations.md``; return the
    tables."""
    trained = [
        [row["variant"], row["pairs"], kind, *shares]
        for row in found.trained
        for kind, shares in row["recognized"].items()
    ]
    write_csv(out / "feature_ablations.csv", ["variant", "pairs", "held out", "2 mm", "4 mm", "8 mm"], trained)
    fields = ["variant", "contrast", "case", "level", "before_mm", "error_mm", "seconds"]
    lines = [[row[name] for name in fields] for row in found.registered]
    write_csv(out / "feature_ablations_registered.csv", fields, lines)
    commits = ", ".join(dict.fromkeys(row["commit"] for row in [*found.trained, *found.registered]))
    recognized, registered = recognition_table(found.trained), registration_table(found.registered)
    cases = ", ".join(dict.fromkeys(row["case"] for row in found.registered))
    write_page(
        out / "feature_ablations.md",
        "# Which parts of the features matter\n\nEach variant was trained once; the first three show how much "
        "trainings differ by chance.\n\n"
        "## Held-out bodies\n\nShare of points, at 2, 4 and 8 mm, whose feature is more alike at the right place than "
        "at another one: 1 to 3 voxels away at 2 mm, anywhere at 4 and 8 mm (50 %: chance).\n\n"
        f"{recognized}\n{made_from}; measured at commit {commits}\n\n"
        f"## Registration with `mad` alone\n\nMean error after descent from the centers of the scans, and how many are "
        f"below 5 mm; one trial a case and level, cases {cases}.\n\n{registered}\n"
        f"{made_from}; measured at commit {commits}\n",
    )
    return f"{recognized}\n{registered}"


def _units(setting: Setting) -> int:
    return len(_trained(_plan(setting)[0])) + len(_registrations(setting))


STUDY = Study("step", _units, measure_ablations, write_ablations)
