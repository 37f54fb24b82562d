"""What training needs: the network trained anew in variants that differ in one thing each, and measured alike.

Every variant learns from the same scans, with the same seed and schedule.  Variants of the *diversity* group, which
see other random appearances, get as many pairs as the reference; those of the *architecture* group get as many as
they learn from in the processor time that the reference takes.  The budget is a fraction of what the shipped network
had, so figures compare with each other only.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from madreg.image.pair import SPACING
from madreg.learn.appearance import Appearance
from madreg.measures import MEASURES
from madreg.measures.mad import MAD
from madreg.network.settings import FusedSettings, SiameseSettings
from madreg_benchmark.methods.matched_ssd import MatchedSSD
from madreg_benchmark.studies.study import Setting, Study, collect
from madreg_benchmark.studies.trainings import (
    BATCH,
    FULL,
    QUICK,
    SHIPPED,
    Budget,
    Found,
    Trainer,
    Variant,
    register_case,
)
from madreg_benchmark.studies.trainings_report import Page, write_trainings

REFERENCE = Variant("reference", "reference", "as shipped: siamese, 1 to 3 random convolutions")
VARIANTS = (
    REFERENCE,
    Variant("second seed", "reference", "the reference with other weights and pairs", seed=1),
    Variant("third seed", "reference", "the same", seed=2),
    Variant(
        "layers 0",
        "diversity",
        "T1w as it is: no random convolutions, no simulated acquisition",
        appearance=Appearance(layers=0, acquisition=False),
    ),
    Variant("layers 1", "diversity", "1 random convolution", appearance=Appearance(layers=1)),
    Variant("layers 2", "diversity", "1 or 2 random convolutions", appearance=Appearance(layers=2)),
    Variant("layers 4", "diversity", "1 to 4 random convolutions", appearance=Appearance(layers=4)),
    Variant(
        "large kernels",
        "diversity",
        "mostly kernels of 3 and 5 voxels instead of 1",
        appearance=Appearance(size_odds=(0.1, 0.45, 0.45)),
    ),
    Variant("8 appearances", "diversity", "8 random appearances for all patches", appearance=Appearance(different=8)),
    Variant("small siamese", "architecture", "half the channels, half the blocks", SiameseSettings(width=12, depth=1)),
    Variant("ResNet-10", "architecture", "published form: images fused at the input, 10 layers", FusedSettings()),
    Variant("ResNet-18", "architecture", "the same with 18 layers", FusedSettings(blocks=(2, 6))),
    Variant("plain CNN", "architecture", "ResNet-10 without skip connections", FusedSettings(skip=False)),
)
TIMINGS = 3  # short trainings, of which the median counts
QUICK_VARIANTS = ("reference", "layers 0", "ResNet-10")
CLASSICAL = {"NMI": MEASURES["nmi"], "NGF": MEASURES["ngf"], MatchedSSD.name: MatchedSSD}
PAGE = Page("ablations", "What training needs", "(compare the other seeds)")


def seconds_per_pair(trainer: Trainer, variant: Variant) -> float:
    """Processor time of one training pair, the drawing of it included: the median of some short trainings."""
    found, steps = [], trainer.budget.timed
    for _ in range(TIMINGS):
        with TemporaryDirectory() as folder:
            trainer.train(variant, 2, Path(folder) / "warm")
            began = time.process_time()
            trainer.train(variant, steps, Path(folder) / "timed")
            found.append((time.process_time() - began) / (steps * BATCH))
    return float(np.median(found))


def _key(variant: Variant, budget: Budget) -> dict:
    return {"variant": variant.name, "size": budget.size, "reference_pairs": budget.pairs}


def _timed(variants: Sequence[Variant]) -> list[Variant]:
    """Those whose processor time a pair has to be known; the first is the reference."""
    return [variant for variant in variants if variant.group == "architecture" or variant is variants[0]]


def measure_ablations(setting: Setting, variants: Sequence[Variant] = VARIANTS, budget: Budget = FULL) -> Found:
    """Train and measure every variant; what ``setting.out`` holds is not done again, half a training is continued.

    Args:
        variants: the first is the reference.

    Raises:
        InputError: if the data or a case cannot be used, or ``out`` holds rows of another seed.
    """
    trainer = Trainer(setting, budget)
    by_name = {variant.name: variant for variant in [*variants, SHIPPED]}
    first = variants[0].name
    costs = collect(
        setting,
        "costs",
        [_key(variant, budget) for variant in _timed(variants)],
        lambda key: {"seconds_per_pair": seconds_per_pair(trainer, by_name[key["variant"]])},
    )
    seconds = dict.fromkeys(by_name, costs[0]["seconds_per_pair"])
    seconds |= {row["variant"]: row["seconds_per_pair"] for row in costs}
    steps = {name: round(budget.pairs * seconds[first] / seconds[name] / BATCH) for name in by_name}

    def trained(key: dict) -> dict:
        variant = by_name[key["variant"]]
        cost = None if variant == SHIPPED else round(seconds[variant.name], 4)
        return {"seconds_per_pair": cost, **trainer.trained(variant, steps[variant.name])}

    def registered(key: dict) -> dict:
        case = next(case for case in setting.cases if case.name == key["case"])
        seed, name = setting.seed, key["by"]
        if name in CLASSICAL:

            def make(fixed, moving):
                return CLASSICAL[name](fixed.resampled(SPACING), moving.resampled(SPACING), seed=seed)
        else:
            network = trainer.network(by_name[name], steps[name])

            def make(fixed, moving):
                return MAD(fixed, moving, network, seed)

        return register_case(case, key["level"], make, seed, budget.steps)

    rows = collect(setting, "trained", [_key(variant, budget) for variant in by_name.values()], trained)
    rows = [
        {**row, "group": variant.group, "differs": variant.differs}
        for row, variant in zip(rows, by_name.values(), strict=True)
    ]
    return Found(rows, collect(setting, "registered", _registrations(setting, variants, budget), registered))


def _registrations(setting: Setting, variants: Sequence[Variant], budget: Budget) -> list[dict]:
    """Keys of the registrations to do; measures that need no training, and the shipped network, also get ``small``."""
    classical = list(dict.fromkeys(["small", *budget.levels]))
    by = [*((name, classical) for name in (*CLASSICAL, SHIPPED.name)), *((v.name, budget.levels) for v in variants)]
    return [
        {"by": name, "case": case.name, "level": level, "reference_pairs": budget.pairs, "steps": budget.steps}
        for name, levels in by
        for level in levels
        for case in setting.cases
    ]


def _plan(setting: Setting) -> tuple[Sequence[Variant], Budget]:
    if setting.quick:
        return [variant for variant in VARIANTS if variant.name in QUICK_VARIANTS], QUICK
    return VARIANTS, FULL


def _units(setting: Setting) -> int:
    variants, budget = _plan(setting)
    return len(_timed(variants)) + len(variants) + 1 + len(_registrations(setting, variants, budget))


STUDY = Study(
    "step",
    _units,
    lambda s: measure_ablations(s, *_plan(s)),
    lambda found, source, out: write_trainings(PAGE, found, source, out),
)
