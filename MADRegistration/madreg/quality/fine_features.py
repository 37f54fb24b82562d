"""Poses compared by how alike MAD's finest features are.

Of slabs that have little in common, edges and intensities agree by chance at wrong poses as well as at the right one.
The finest features (:mod:`madreg.network.features`) agree within a few millimeters of the right pose alone, so each
pose is brought first to where they agree best nearby.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..descent.adam import adam
from ..descent.objective import Schedule
from ..image.geometry import mean_displacement
from ..image.pair import Pair
from ..measures.feature_mad import FeatureMAD
from ..system.parallel import parallel_map
from .alternatives import are_apart
from .feature_agreement import MIDDLE, agreement, descended, features_seen_from

SAMPLES = 6000
COARSE, FINE = Schedule(adam, 20, 3.0, 0.5), Schedule(adam, 20, 1.5, 0.2)
# Of the poses of four tuning trials right and wrong ones have the same values with these to 0.01, and end 1 mm farther
# from where features agree, in two thirds of the time.
QUICK_SAMPLES = 2000
QUICK_COARSE, QUICK_FINE = Schedule(adam, 15, 3.0, 0.5), Schedule(adam, 12, 1.5, 0.3)
# Halves of slabs in unlike contrasts that fail without: right poses reach 1.5 to 3 times what the best other pose does,
# 0.022 and more; where all are wrong, the best has at most 1.25 times what the next one has, in one trial 1.6.
CLEARLY, LEAST = 1.5, 0.02
# Right poses of those trials have 0.5 to 1 times the agreement of the features of 4 mm, a wrong one at which outlines
# coincide 0.19; they are simulated, and real right poses of thick slices have less.
OF_MIDDLE = 0.25
# The best significance near a wrong pose grows with the square root of the number of parameters that are fitted there.
# Near 350 wrong poses of 24 tuning trials it is at most 2.6 times that (rigid) and 2.2 times (affine), however few are
# compared; near right ones that were among those compared it is 3.8 times and more.  Without this limit, where all
# poses are wrong, one is clearly the best in 6 of 100 draws of nine of them, and in 20 of 100 draws of three.
ABOVE_CHANCE = 3.0
SIGNIFICANT = {kind: ABOVE_CHANCE * np.sqrt(count) for kind, count in (("rigid", 6), ("similarity", 7), ("affine", 12))}
FOLLOWED = Schedule(adam, 40, 2.0, 0.1)
MOST_LITERS = 5.0, 32.0
"""Of the field of view of the smaller and of the larger volume.  Whole heads have more than 8 liters, and enough in
common without; their features would take as long as everything else."""


@dataclass(frozen=True)
class FineAgreement:
    """How alike the finest features are near a pose.

    Attributes:
        pose: (4, 4), fixed LPS to moving LPS, near the one that was asked about, where the features agree best.
        value, significance: of the finest features there (:class:`~madreg.quality.feature_agreement.Agreement`).
        middle: value of the features of 4 mm.
    """

    pose: np.ndarray
    value: float
    significance: float
    middle: float = 0.0

    def is_clear(self, others: float, kind: str) -> bool:
        """Whether it is clearly better than others and than chance, and the finest features are in place.

        Args:
            others: their best value.
            kind: of the transform that was fitted: ``rigid``, ``similarity`` or ``affine``.
        """
        is_better = self.value >= max(LEAST, CLEARLY * others, OF_MIDDLE * self.middle)
        return is_better and self.significance >= SIGNIFICANT[kind]


def fine_agreement(pair: Pair, pose: np.ndarray, is_quick: bool = False, kind: str = "rigid") -> FineAgreement:
    """The agreement near a pose (4, 4); found once a pair.

    Args:
        is_quick: whether to be less exact and take less time.
        kind: what may change of the pose: ``rigid``, ``similarity`` or ``affine``.

    Raises:
        InputError: if the bundled weights are damaged.
    """
    return pair.once(
        ("fine agreement", pose.tobytes(), is_quick, kind), lambda: _found_near(pair, pose, is_quick, kind)
    )


def agreement_at(pair: Pair, pose: np.ndarray) -> float:
    """The value of :class:`FineAgreement` at a pose (4, 4) itself."""
    return agreement(pair, features_seen_from(pair, pose, SAMPLES).of_level(0), pose).value


def recognized(
    pair: Pair,
    poses: Sequence[np.ndarray],
    report_progress: Callable[[float], None] | None = None,
    kind: str = "rigid",
) -> FineAgreement | None:
    """Where features agree clearly better than near all other poses, and than by chance; None where they do nowhere.

    Args:
        poses: (4, 4) each, fixed LPS to moving LPS.
        report_progress: called with the share done; may raise to stop.
        kind: what may change of each pose: ``rigid``, ``similarity`` or ``affine``.  Features of a stretched body agree
            at rigid poses near the right one half as well as at the right one, or less.
    """
    if not is_comparable(pair):
        return None
    found = parallel_map(lambda pose: fine_agreement(pair, pose, True, kind), poses, pair.fixed.device, report_progress)
    best = max(found, key=_value_of)
    next_best = max((one for one in found if are_apart(pair, one.pose, best.pose)), key=_value_of, default=None)
    # exactly, and a pose that was far from where its features agree is not there yet
    further = parallel_map(
        lambda one: max(one, fine_agreement(pair, one.pose, kind=kind), key=_value_of),
        [best] if next_best is None else [best, next_best],
        pair.fixed.device,
    )
    best = max(further, key=_value_of)
    others = [one.value for one in [*found, *further] if are_apart(pair, one.pose, best.pose)]
    return best if best.is_clear(max(others, default=0.0), kind) else None


def _value_of(one: FineAgreement) -> float:
    return one.value


def is_recognized(pair: Pair, pose: np.ndarray, others: Sequence[np.ndarray], within_mm: float) -> bool:
    """Whether a pose (4, 4) is where features agree clearly better than near all others (4, 4), to some mm."""
    if not is_comparable(pair):
        return False
    here = fine_agreement(pair, pose)
    if here.value < LEAST or mean_displacement(here.pose, pose, pair.points) > within_mm:
        return False
    best = recognized(pair, [pose, *others])
    return best is not None and mean_displacement(best.pose, pose, pair.points) <= within_mm


def followed(pair: Pair, pose: np.ndarray, kind: str) -> np.ndarray | None:
    """Where near a pose (4, 4) all features lead, if the finest agree clearly better there; None if not.

    Args:
        kind: of the transform: ``rigid``, ``similarity`` or ``affine``.

    Raises:
        InputError: if the bundled weights are damaged.
    """
    if not is_comparable(pair):
        return None
    seen = features_seen_from(pair, pose, SAMPLES)
    there = descended(pair, seen, pose, FOLLOWED, kind)
    before, after = (_agreement_at(pair, seen, one) for one in (pose, there))
    return there if after.is_clear(before.value, kind) else None


def is_comparable(pair: Pair) -> bool:
    """Whether the volumes are small enough for features to take little time and memory."""
    return all(here <= most for here, most in zip(liters_shown(pair), MOST_LITERS, strict=True))


def liters_shown(pair: Pair) -> list[float]:
    """Of the fields of view of both volumes, the smaller one first."""
    return sorted(one.grid.liters(float(one.mask.sum())) for one in (pair.fixed, pair.moving))


def _found_near(pair: Pair, pose: np.ndarray, is_quick: bool, kind: str) -> FineAgreement:
    samples, coarse, fine = (QUICK_SAMPLES, QUICK_COARSE, QUICK_FINE) if is_quick else (SAMPLES, COARSE, FINE)
    seen = features_seen_from(pair, pose, samples)
    for measure, schedule in ((seen.of_level(MIDDLE), coarse), (seen, fine)):
        pose = descended(pair, measure, pose, schedule, kind)
    return _agreement_at(pair, seen, pose)


def _agreement_at(pair: Pair, seen: FeatureMAD, pose: np.ndarray) -> FineAgreement:
    finest, middle = (agreement(pair, seen.of_level(number), pose) for number in (0, MIDDLE))
    return FineAgreement(pose, finest.value, finest.significance, middle.value)
