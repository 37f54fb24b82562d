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

    Args:
        poses: (4, 4) each, fixed LPS to moving LPS.
        count: how many to return at most.
        report_progress: called with the share done; may raise to stop.
    """
    kept: list[MiddleAgreement] = []
    found = parallel_map(lambda pose: _middle_agreement(pair, pose), poses, pair.fixed.device, report_progress)
    for one in sorted(found, key=lambda one: -one.value):
        if len(kept) < count and all(are_apart(pair, one.pose, other.pose) for other in kept):
            kept.append(one)
    return [one.pose for one in kept]


def _middle_agreement(pair: Pair, pose: np.ndarray) -> MiddleAgreement:
    seen = features_seen_from(pair, pose, SAMPLES, MIDDLE)
    pose = descended(pair, seen, pose, DESCENT)
    overlap = max(pair.greater_overlap(pose), OVERLAP_FLOOR)
    return MiddleAgreement(pose, agreement(pair, seen, pose) / overlap**0.5)
