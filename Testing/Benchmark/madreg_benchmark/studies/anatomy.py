"""Is the network tied to heads?  It is trained anew on heads, on synthetic bodies and on both, and measured on all.

Network, settings, seed and number of pairs are those of the reference of the study of ablations; only what
the pairs show differs.  No body that is trained on is measured on, and none has a part in the study of bodies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import zip_longest

import torch

from madreg.image.points import sample_points
from madreg.learn.pair_settings import PairSettings
from madreg.learn.pairs import PairSampler
from madreg.learn.scans import Scan, scan_of
from madreg.measures.mad import MAD
from madreg_benchmark.cases.synthetic_body import displaced_pair, pair, upright_scan
from madreg_benchmark.studies.study import Setting, Study, collect
from madreg_benchmark.studies.trainings import (
    BATCH,
    DRAWN,
    FULL,
    QUICK,
    SHIPPED,
    Budget,
    Found,
    Trainer,
    Variant,
    cross_pairs,
    register_case,
    register_pair,
)
from madreg_benchmark.studies.trainings_report import Page, write_trainings

HEADS = Variant("heads", "anatomy", "T1w heads: the reference of the ablations")
BOTH = Variant("heads and bodies", "anatomy", "half of the pairs from heads, half from synthetic bodies")
BODIES = Variant("bodies", "anatomy", "synthetic bodies of blobs and tubes alone")
VARIANTS = (HEADS, BOTH, BODIES)
HELD_OUT_HEADS, HELD_OUT_BODIES = "held-out heads", "held-out bodies"
LEARNED, MEASURED, REGISTERED = 1, 2, 3  # second number of a body's seed, which the study of bodies has not
PAGE = Page("anatomy", "Is the network tied to heads?", "(the ablations have other seeds of the first)")


@dataclass(frozen=True)
class Supply:
    """How many bodies there are to learn from, to predict distances in, and to register."""

    learned: int = 40
    measured: int = 16
    registered: int = 3


QUICK_SUPPLY = Supply(2, 1, 1)


class AnatomyTrainer(Trainer):
    """Trains on heads, bodies or both, and measures on heads and on bodies in two unrelated contrasts."""

    def __init__(self, setting: Setting, budget: Budget, supply: Supply) -> None:
        super().__init__(setting, budget)
        self.supply = supply

    def seed(self, purpose: int, number: int) -> list[int]:
        """Of a body for :data:`LEARNED`, :data:`MEASURED` or :data:`REGISTERED`."""
        return [self.setting.seed, purpose, number]

    @cached_property
    def bodies(self) -> list[Scan]:
        """Bodies to train on, one contrast each, to which training adds random appearances as it does to heads."""
        return [scan_of(upright_scan(self.seed(LEARNED, number))) for number in range(self.supply.learned)]

    def groups(self, variant: Variant) -> Sequence[Sequence[Scan]]:
        """Heads, bodies, or both equally often."""
        if variant == HEADS:
            return self.scans[0]
        if variant == BODIES:
            return [self.bodies]
        heads = self.scans[0]
        return [*heads, *[self.bodies] * len(heads)]

    def validation(self, seed: int) -> dict[str, list[dict[str, torch.Tensor]]]:
        """As for ablations, and bodies that no variant saw, each in two unrelated contrasts."""
        pairs = super().validation(seed)
        pairs = {HELD_OUT_HEADS: pairs.pop(DRAWN), **pairs}
        bodies = []
        for number in range(self.supply.measured):
            fixed, moving, truth = pair(self.seed(MEASURED, number))
            bodies.append((scan_of(fixed), scan_of(moving), truth))
        sampler = PairSampler([], PairSettings(size=self.budget.size), seed)
        return {**pairs, HELD_OUT_BODIES: cross_pairs(sampler, bodies, self.budget.validation)}


def measure_anatomy(setting: Setting, budget: Budget = FULL, supply: Supply = Supply()) -> Found:
    """Train and measure every variant; what ``setting.out`` holds is not done again, half a training is continued.

    Raises:
        InputError: if the data or a case cannot be used, or ``out`` holds rows of another seed.
    """
    trainer = AnatomyTrainer(setting, budget, supply)
    by_name = {variant.name: variant for variant in (*VARIANTS, SHIPPED)}
    steps = budget.pairs // BATCH

    @cache
    def body(number: int, level: str):
        return displaced_pair(trainer.seed(REGISTERED, number), level)

    def registered(key: dict) -> dict:
        network = trainer.network(by_name[key["by"]], steps)

        def make(fixed, moving):
            return MAD(fixed, moving, network, setting.seed)

        case = next((case for case in setting.cases if case.name == key["case"]), None)
        if case is not None:
            return register_case(case, key["level"], make, setting.seed, budget.steps)
        fixed, moving, truth = body(key["body"], key["level"])
        points = sample_points(fixed.resampled(4.0), 2000).cpu().double().numpy()
        return {
            "contrast": "synthetic",
            **register_pair(fixed, moving, truth, points, make, setting.seed, budget.steps),
        }

    rows = collect(
        setting, "trained", _trainings(budget, supply), lambda key: trainer.trained(by_name[key["variant"]], steps)
    )
    rows = [{**row, "differs": by_name[row["variant"]].differs} for row in rows]
    done = collect(setting, "registered", _registrations(setting, budget, supply), registered)
    return Found(rows, sorted(done, key=lambda row: "body" in row))


def _trainings(budget: Budget, supply: Supply) -> list[dict]:
    """Keys of the trainings."""
    return [
        {"variant": variant.name, "size": budget.size, "reference_pairs": budget.pairs, "bodies": supply.learned}
        for variant in (*VARIANTS, SHIPPED)
    ]


def _registrations(setting: Setting, budget: Budget, supply: Supply) -> list[dict]:
    """Keys of the registrations, cases and bodies in turn: a run that is cut off has seen all networks on both."""
    cases = [{"case": case.name} for case in setting.cases]
    bodies = [{"case": f"body {number + 1}", "body": number} for number in range(supply.registered)]
    what = [one for both in zip_longest(cases, bodies) for one in both if one]
    return [
        {
            "by": variant.name,
            **one,
            "level": level,
            "reference_pairs": budget.pairs,
            "bodies": supply.learned,
            "steps": budget.steps,
        }
        for level in budget.levels
        for one in what
        for variant in (*VARIANTS, SHIPPED)
    ]


def _plan(setting: Setting) -> tuple[Budget, Supply]:
    return (QUICK, QUICK_SUPPLY) if setting.quick else (FULL, Supply())


def _units(setting: Setting) -> int:
    return len(_trainings(*_plan(setting))) + len(_registrations(setting, *_plan(setting)))


STUDY = Study(
    "step",
    _units,
    lambda s: measure_anatomy(s, *_plan(s)),
    lambda found, source, out: write_trainings(PAGE, found, source, out),
)
