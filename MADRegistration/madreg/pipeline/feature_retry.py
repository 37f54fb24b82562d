"""What is tried with MAD's features where the registration of small images fails."""

from __future__ import annotations

import numpy as np

from ..image.pair import Pair
from ..image.transform import Transform
from ..progress import Monitor
from ..quality.fine_features import agreement_at, recognized
from .feature_search import likeliest, most_alike_of_rest
from .found import Found
from .refining import best_refined

# Of the agreement of features, where NMI and NGF refine what features found.  In five of seven tuning trials 0.98 and
# more are left; in the others, with 0.82 and 0.90, what is refined is 1 and 2 mm farther off.
AGREES_STILL = 0.9


def found_by_features(pair: Pair, failed: Found, others: list[Transform], kind: str, monitor: Monitor) -> Found:
    """The pose at which the finest features clearly agree best, refined, if it is better than what failed.

    It is one of those that bring the axes of both lattices near each other, or of those that were found before.

    Args:
        others: that were found before.
        kind: of the transform that is looked for.
    """
    searching, comparing = monitor.part(0.0, 0.4), monitor.part(0.6, 0.8)
    transform = failed.transform
    poses = likeliest(pair, lambda share: searching.report("search", share, transform))
    found = _recognized(pair, failed, [transform.matrix, *poses], others, kind, monitor.part(0.4, 0.6))
    if found.verdict != "failed":
        return found
    poses += most_alike_of_rest(
        pair, [one.matrix for one in others], lambda share: comparing.report("candidates", share, transform)
    )
    return _recognized(pair, found, [transform.matrix, *poses], others, kind, monitor.part(0.8, 1.0))


def _recognized(
    pair: Pair, failed: Found, poses: list[np.ndarray], others: list[Transform], kind: str, monitor: Monitor
) -> Found:
    """What failed, or, if that is better, the one of some poses (4, 4) that features recognize, refined.

    Args:
        others: with which it is compared, besides the poses.
    """
    comparing, refining = monitor.part(0.0, 0.7), monitor.part(0.7, 1.0)
    pair = pair.near(poses)
    found = recognized(pair, poses, lambda share: comparing.report("candidates", share, failed.transform))
    if found is None:
        return failed
    transform = Transform(found.pose)
    refined = best_refined(pair, [transform], kind, refining)
    if agreement_at(pair, refined.matrix) >= AGREES_STILL * found.value:
        transform = refined
    return failed.or_better(Found.at(pair, transform, kind, [*map(Transform, poses), *others]))
