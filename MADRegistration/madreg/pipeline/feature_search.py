"""Poses among which MAD's features look for the right one, of volumes small enough for features to take little time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..image.pair import Pair
from ..network import weights
from ..pose.correlation import Candidate
from ..pose.match_search import MatchSearch
from ..pose.rotations import along_axes
from ..quality.alternatives import best_apart
from ..quality.middle_features import most_alike
from .axes_search import poses_near_axes

QUICK_POINTS, POINTS = 500, 2000  # that are matched, before anything else and where a registration fails
COUNT = 8  # poses that are compared
FEW = 2  # of the candidates of another search
# Of 84 tuning trials (slabs and half scans in unlike contrasts, affine displacements) the best pose of the quick points
# is clear by both in 58, and in 65 once the matches are followed, all of them right.  Where it is wrong it has a score
# of at most 14.6, and at most 1.6 times that of the next.
CLEARLY, LEAST = 1.7, 16.0


def clearly_matched(pair: Pair, report_progress: Callable[[float], None]) -> list[Candidate]:
    """The poses at which most matches of features meet, the best first, if clearly more do at one than at the others.

    Args:
        report_progress: called with the share done; may raise to stop.
    """
    found = _searched(pair, QUICK_POINTS, lambda share: report_progress(0.6 * share))
    if _is_first_clear(found):
        return found
    return clearly_followed(pair, _matrices(found), lambda share: report_progress(0.6 + 0.4 * share), found)


def clearly_followed(
    pair: Pair,
    poses: Sequence[np.ndarray],
    report_progress: Callable[[float], None],
    others: Sequence[Candidate] = (),
) -> list[Candidate]:
    """Where the matches lead from some poses (4, 4), fixed LPS to moving LPS, the best first, if clearly more of them
    meet at one than at the others.

    Seen from a pose near the right one more matches meet there, three times as many or more; from a wrong one as many
    as before.

    Args:
        report_progress: called with the share done; may raise to stop.
        others: with which they are compared.
    """
    found = _best_apart(pair, [*_followed(pair, poses, report_progress), *others])
    if found and not _is_first_clear(found):
        found = _best_apart(pair, [*_followed(pair, _matrices(found[:1])), *found])
    return found if _is_first_clear(found) else []


def where_features_agree(
    pair: Pair, others: Sequence[np.ndarray], report_progress: Callable[[float], None]
) -> list[np.ndarray]:
    """Poses (4, 4), fixed LPS to moving LPS, at which most matches meet, and those of others near which features agree
    best.

    Args:
        others: (4, 4) each.
        report_progress: called with the share done; may raise to stop.
    """
    found = _searched(pair, POINTS, lambda share: report_progress(0.8 * share))
    return _matrices(found) + most_alike(pair, others, FEW, lambda share: report_progress(0.8 + 0.2 * share))


def where_some_match(pair: Pair, report_progress: Callable[[float], None]) -> list[np.ndarray]:
    """The best poses (4, 4) of :func:`clearly_matched`, clear or not."""
    return _matrices(_searched(pair, QUICK_POINTS, report_progress))


def where_edges_agree(pair: Pair, report_progress: Callable[[float], None]) -> list[np.ndarray]:
    """The poses (4, 4), of those that bring the axes of both lattices near each other, at which edges agree best."""
    return poses_near_axes(pair, report_progress)[:COUNT]


def match_search(pair: Pair, points: int = QUICK_POINTS, weights_path: str | None = None) -> MatchSearch:
    """The search by matches of some points of a pair; made once.

    Args:
        weights_path: ``.pt`` file of the network; the bundled one if None.

    Raises:
        InputError: if the weights are missing, damaged or foreign.
    """

    def make() -> MatchSearch:
        network = weights.load_features(weights_path, pair.fixed.device)[0]
        return MatchSearch(pair.fixed, pair.moving, network, points, pair.seed)

    return pair.once(("match search", points, weights_path), make)


def _searched(pair: Pair, points: int, report_progress: Callable[[float], None]) -> list[Candidate]:
    """The best poses, none near another; searched for once a pair."""

    def make() -> list[Candidate]:
        rotations = along_axes(pair.fixed.grid.axes, pair.moving.grid.axes)
        return best_apart(pair, match_search(pair, points).run(rotations, 2 * COUNT, report_progress), COUNT)

    return pair.once(("matched", points), make)


def _followed(
    pair: Pair, poses: Sequence[np.ndarray], report_progress: Callable[[float], None] | None = None
) -> list[Candidate]:
    """Where the matches lead from some poses (4, 4), the best first, none near another; followed once a pair."""
    key = ("followed", b"".join(pose.tobytes() for pose in poses))
    return pair.once(key, lambda: _best_apart(pair, match_search(pair).follow(poses, report_progress)))


def _best_apart(pair: Pair, found: Sequence[Candidate]) -> list[Candidate]:
    return best_apart(pair, sorted(found, key=lambda one: -one.score), COUNT)


def _matrices(found: Sequence[Candidate]) -> list[np.ndarray]:
    return [one.matrix for one in found]


def _is_first_clear(found: Sequence[Candidate]) -> bool:
    """Of some candidates, the best first."""
    return bool(found) and found[0].score >= max(LEAST, CLEARLY * max((one.score for one in found[1:]), default=0.0))
