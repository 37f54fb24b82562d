"""A search in which MAD chooses among the candidates, for volumes that show too little in common for edges.

Edges of halves of slabs in unlike contrasts agree at many wrong poses better than at the right one.  Of rotations that
bring the axes of both lattices near each other, fewer are wrong, and many candidates of these are compared by features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest

import numpy as np

from ..image.pair import Pair
from ..pose.rotations import near_axes
from ..pose.search import search
from ..quality.middle_features import most_alike

MIN_OVERLAP = 0.15  # of the edges of the smaller image: halves of two slabs have a fifth of them in common
SEEDS = 300
COUNT = 50  # candidates of the volumes as read, and of the flattened ones
PLAUSIBLE = 0.4  # of the best score, that a candidate has at least
SEARCHED = 0.4  # of the time, for the search in volumes as read, and in flattened ones together


def feature_search(
    pair: Pair, others: Sequence[np.ndarray], count: int, report_progress: Callable[[float], None]
) -> list[np.ndarray]:
    """Poses (4, 4), fixed LPS to moving LPS, near which features of 4 mm agree best, the best first.

    Args:
        others: (4, 4) each, candidates to be compared as well.
        count: how many to return at most.
        report_progress: called with the share done; may raise to stop.
    """
    rotations = near_axes(pair.fixed.grid.axes, pair.moving.grid.axes)
    found: list[list[np.ndarray]] = []
    for number, (fixed, moving) in enumerate([(pair.fixed, pair.moving), pair.flattened]):

        def report(share: float, number: int = number) -> None:
            report_progress(SEARCHED * (number + share) / 2)

        candidates = search(
            fixed,
            moving,
            rotations=rotations,
            seeds=SEEDS,
            count=COUNT,
            min_overlap=MIN_OVERLAP,
            plausible=PLAUSIBLE,
            progress=report,
        )
        found.append([one.matrix for one in candidates])
    in_turn = [pose for both in zip_longest(*found) for pose in both if pose is not None]
    return most_alike(
        pair, [*in_turn, *others], count, lambda share: report_progress(SEARCHED + (1 - SEARCHED) * share)
    )
