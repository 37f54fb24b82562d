"""Poses ordered by how alike MAD's features of 4 mm are, which takes a tenth of the time of the finest ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..descent.adam import adam
from ..descent.objective import Schedule
from ..image.pair import Pair
from ..pose.correlation import Candidate
from ..system.parallel import parallel_map
from .alternatives import best_apart
from .feature_agreement import MIDDLE, agreement, descended, features_seen_from

SAMPLES = 1500
DESCENT = Schedule(adam, 15, 4.0, 0.7)
OVERLAP_FLOOR = 0.1  # below which a mean is as uncertain as there


def most_alike(
    pair: Pair, poses: Sequence[np.ndarray], count: int, report_progress: Callable[[float], None] | None = None
) -> list[np.ndarray]:
    """Where features of 4 mm agree best near some poses, the best first, none near another.

    Args:
        poses: (4, 4) each, fixed LPS to moving LPS.
        count: how many to return at most.
        report_progress: called with the share done; may raise to stop.
    """
    found = parallel_map(lambda pose: _best_near(pair, pose), poses, pair.fixed.device, report_progress)
    return [one.matrix for one in best_apart(pair, sorted(found, key=lambda one: -one.score), count)]


def _best_near(pair: Pair, pose: np.ndarray) -> Candidate:
    """Where features agree best near a pose (4, 4).

    The score is their mean cosine there, less that of a random pair of points, over what both volumes show, in units of
    its standard error.  That is, but for a factor, the sum over all points by the square root of the share of them that
    have a counterpart.
    """
    seen = features_seen_from(pair, pose, SAMPLES, MIDDLE)
    pose = descended(pair, seen, pose, DESCENT)
    overlap = max(pair.greater_overlap(pose), OVERLAP_FLOOR)
    return Candidate(pose, agreement(pair, seen, pose).value / overlap**0.5)
