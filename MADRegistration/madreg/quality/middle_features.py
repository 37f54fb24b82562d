"""Poses ordered by how alike MAD's features of 4 mm are, which takes a tenth of the time of the finest ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..descent.adam import adam
from ..descent.objective import Schedule
from ..image.pair import Pair
from ..system.parallel import parallel_map
from .alternatives import are_apart
from .feature_agreement import MIDDLE, agreement, descended, features_seen_from

SAMPLES = 1500
DESCENT = Schedule(adam, 15, 4.0, 0.7)
OVERLAP_FLOOR = 0.1  # below which a mean is as uncertain as there
AT_ONCE = 24  # poses that are compared before it is looked whether one is clearly better than the others
# Of 12 tuning trials with 110 poses each, the best one is right in all but two, and in half of them has 1.8 to 2.6
# times what the next one has; the two wrong ones have 1.0 and 1.1 times as much.
CLEARLY = 1.5
ENOUGH = 4  # of the best, where one is clearly better


@dataclass(frozen=True)
class MiddleAgreement:
    """How alike features of 4 mm are near a pose.

    Attributes:
        pose: (4, 4), fixed LPS to moving LPS, near the one that was asked about, where the features agree best.
        value: mean cosine there, less that of a random pair of points, over what both volumes
            show, in units of its standard error.  That is, but for a factor, the sum over all points by the square
            root of the share of them that have a counterpart.
    """

    pose: np.ndarray
    value: float


def most_alike(
    pair: Pair, poses: Sequence[np.ndarray], count: int, report_progress: Callable[[float], None] | None = None
) -> list[np.ndarray]:
    """Where features of 4 mm agree best near some poses, the best first, none near another.

    Where they agree clearly best near one, the poses after it are left out, and few are returned.

    Args:
        poses: (4, 4) each, fixed LPS to moving LPS, the likeliest first.
        count: how many to return at most.
        report_progress: called with the share done; may raise to stop.
    """
    kept: list[MiddleAgreement] = []
    found: list[MiddleAgreement] = []
    for begin in range(0, len(poses), AT_ONCE):
        some = poses[begin : begin + AT_ONCE]

        def report(share: float, begin: int = begin, count: int = len(some)) -> None:
            if report_progress is not None:
                report_progress((begin + share * count) / len(poses))

        found += parallel_map(lambda pose: _middle_agreement(pair, pose), some, pair.fixed.device, report)
        kept = _apart(pair, found, count)
        if len(kept) > 1 and kept[0].value >= CLEARLY * kept[1].value > 0:
            kept = kept[:ENOUGH]
            break
    return [one.pose for one in kept]


def _apart(pair: Pair, found: list[MiddleAgreement], count: int) -> list[MiddleAgreement]:
    """The best of what was found, the best first, none near another."""
    kept: list[MiddleAgreement] = []
    for one in sorted(found, key=lambda one: -one.value):
        if len(kept) < count and all(are_apart(pair, one.pose, other.pose) for other in kept):
            kept.append(one)
    return kept


def _middle_agreement(pair: Pair, pose: np.ndarray) -> MiddleAgreement:
    seen = features_seen_from(pair, pose, SAMPLES, MIDDLE)
    pose = descended(pair, seen, pose, DESCENT)
    overlap = max(pair.greater_overlap(pose), OVERLAP_FLOOR)
    return MiddleAgreement(pose, agreement(pair, seen, pose) / overlap**0.5)
