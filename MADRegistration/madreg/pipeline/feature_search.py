"""Poses among which MAD's features look for the right one, of volumes small enough for features to take little time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..image.pair import Pair
from ..network import weights
from ..pose.correlation import Candidate
from ..pose.match_search import search_by_matches
from ..pose.rotations import along_axes
from ..quality.alternatives import best_apart
from ..quality.middle_features import most_alike
from .axes_search import poses_near_axes

QUICK_POINTS, POINTS = 500, 2000  # that are matched, before anything else and where a registration fails
COUNT = 8  # poses that are compared
FEW = 2  # of the candidates of another search
# Of 84 tuning trials (slabs and half scans in unlike contrasts, affine displacements) the best pose of the quick points
# is right in 65, and clear by both in 58 of these.  Where it is wrong it has a score of at most 13.7, and at most 1.6
# times that of the next.
CLEARLY, LEAST = 1.7, 16.0


def clearly_matched(pair: Pair, report_progress: Callable[[float], None]) -> list[Candidate]:
    """The poses at which most matches of features meet, the best first, if clearly more do at one than at the others.

    Args:
        report_progress: called with the share done; may raise to stop.
    """
    found = _matched(pair, QUICK_POINTS, report_progress)
    others = [one.score for one in found[1:]]
    is_clear = bool(found) and found[0].score >= max(LEAST, CLEARLY * max(others, default=0.0))
    return found if is_clear else []


def where_features_agree(
    pair: Pair, others: Sequence[np.ndarray], report_progress: Callable[[float], None]
) -> list[np.ndarray]:
    """Poses (4, 4), fixed LPS to moving LPS, at which most matches meet, and those of others near which features agree
    best.

    Args:
        others: (4, 4) each.
        report_progress: called with the share done; may raise to stop.
    """
    found = [one.matrix for one in _matched(pair, POINTS, lambda share: report_progress(0.8 * share))]
    return found + most_alike(pair, others, FEW, lambda share: report_progress(0.8 + 0.2 * share))


def where_some_match(pair: Pair, report_progress: Callable[[float], None]) -> list[np.ndarray]:
    """The best poses (4, 4) of :func:`clearly_matched`, clear or not."""
    return [one.matrix for one in _matched(pair, QUICK_POINTS, report_progress)]


def where_edges_agree(pair: Pair, report_progress: Callable[[float], None]) -> list[np.ndarray]:
    """The poses (4, 4), of those that bring the axes of both lattices near each other, at which edges agree best."""
    return poses_near_axes(pair, report_progress)[:COUNT]


def _matched(pair: Pair, points: int, report_progress: Callable[[float], None]) -> list[Candidate]:
    """The best poses, none near another; searched for once a pair."""

    def make() -> list[Candidate]:
        network = weights.load_features(device=pair.fixed.device)[0]
        rotations = along_axes(pair.fixed.grid.axes, pair.moving.grid.axes)
        found = search_by_matches(
            pair.fixed, pair.moving, network, rotations, points, 2 * COUNT, pair.seed, report_progress
        )
        return best_apart(pair, found, COUNT)

    return pair.once(("matched", points), make)
