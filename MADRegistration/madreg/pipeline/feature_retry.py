"""What is tried with MAD's features where the registration of small images fails."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ..image.pair import Pair
from ..image.transform import Transform
from ..progress import Monitor
from ..quality.fine_features import LEAST, FineAgreement, agreement_at, fine_agreement, recognized
from .feature_search import clearly_followed, where_edges_agree, where_features_agree, where_some_match
from .found import Found
from .refining import best_refined

# Of the agreement of features, where NMI and NGF refine what features found.  In five of seven tuning trials 0.98 and
# more are left; in the others, with 0.82 and 0.90, what is refined is 1 and 2 mm farther off.
AGREES_STILL = 0.9


def found_by_features(pair: Pair, failed: Found, others: list[Transform], kind: str, monitor: Monitor) -> Found:
    """The pose to which clearly most matches lead, or at which the finest features clearly agree best, refined, if it
    is better than what failed.

    It is one of those at which the matches of a few points meet, which are known from before, or else of those at which
    edges agree and the axes of both lattices lie near each other, or of those at which the matches of more points meet,
    or of the others.

    Args:
        others: that were found before.
        kind: of the transform that is looked for.
    """
    before = [one.matrix for one in others]
    searches = (
        partial(where_some_match, pair),
        partial(where_edges_agree, pair),
        partial(where_features_agree, pair, before),
    )
    found, poses = failed, [failed.transform.matrix]
    for number, search in enumerate(searches):
        part = monitor.part(number / len(searches), (number + 1) / len(searches))
        more = _shown(search, failed.transform, part.part(0.0, 0.4))
        poses = [*poses, *more]
        if number > 0:  # from the first ones matches were followed before
            found = _matched(pair, found, more, others, kind, part.part(0.4, 0.6))
        if found.verdict == "failed":
            found = _recognized(pair, found, poses, others, kind, part.part(0.6, 1.0))
        if found.verdict != "failed":
            break
    return found


def _shown(
    search: Callable[[Callable[[float], None]], list[np.ndarray]], transform: Transform, monitor: Monitor
) -> list[np.ndarray]:
    """The poses (4, 4) of a search, during which a transform is shown."""
    return search(lambda share: monitor.report("search", share, transform))


def _matched(
    pair: Pair, failed: Found, poses: list[np.ndarray], others: list[Transform], kind: str, monitor: Monitor
) -> Found:
    """What failed, or, if that is better, the pose to which clearly most matches lead from some poses (4, 4), refined.

    Args:
        others: with which it is compared, besides the poses.
    """
    following, refining = monitor.part(0.0, 0.4), monitor.part(0.4, 1.0)
    matched = clearly_followed(pair, poses, lambda share: following.report("candidates", share, failed.transform))
    if not matched:
        return failed
    rest = [*(Transform(one.matrix) for one in matched[1:]), *map(Transform, poses), *others]
    pair = pair.near([one.matrix for one in matched])
    found = fine_agreement(pair, matched[0].matrix, kind=kind)
    if found.value < LEAST:  # the finest features show nothing there
        found = FineAgreement(matched[0].matrix, -np.inf, -np.inf)
    return _refined(pair, failed, found, rest, kind, refining)


def _recognized(
    pair: Pair, failed: Found, poses: list[np.ndarray], others: list[Transform], kind: str, monitor: Monitor
) -> Found:
    """What failed, or, if that is better, the one of some poses (4, 4) that features recognize, refined.

    Args:
        others: with which it is compared, besides the poses.
    """
    comparing, refining = monitor.part(0.0, 0.7), monitor.part(0.7, 1.0)
    pair = pair.near(poses)
    found = recognized(pair, poses, lambda share: comparing.report("candidates", share, failed.transform), kind)
    if found is None:
        return failed
    return _refined(pair, failed, found, [*map(Transform, poses), *others], kind, refining)


def _refined(
    pair: Pair, failed: Found, found: FineAgreement, others: list[Transform], kind: str, monitor: Monitor
) -> Found:
    """What failed, or, if that is better, the pose where features agree, refined as long as they do.

    Args:
        others: with which it is compared.
    """
    transform = Transform(found.pose)
    refined = best_refined(pair, [transform], kind, monitor)
    if agreement_at(pair, refined.matrix) >= AGREES_STILL * found.value:
        transform = refined
    return failed.or_better(Found.at(pair, transform, kind, others))
