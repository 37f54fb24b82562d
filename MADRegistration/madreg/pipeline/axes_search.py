"""A search of the poses that bring the axes of both lattices near each other.

Most scans lie along the axes of the body.  Edges of halves of slabs in unlike contrasts agree at many wrong poses
better than at the right one, and fewer of these rotations are wrong.  So scans may have less in common than in a search
of all rotations.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest

import numpy as np

from ..image.pair import Pair
from ..pose.rotations import near_axes
from ..pose.search import search

MIN_OVERLAP = 0.15  # of the edges of the smaller image: halves of two slabs have a fifth of them in common
SEEDS = 300
COUNT = 8  # candidates of the volumes as read, and of the flattened ones
PLAUSIBLE = 0.4  # of the best score, that a candidate has at least


def poses_near_axes(pair: Pair, report_progress: Callable[[float], None]) -> list[np.ndarray]:
    """Poses (4, 4), fixed LPS to moving LPS, of the volumes as read and of the flattened ones in turn, the likeliest
    first; searched for once a pair.

    Args:
        report_progress: called with the share done; may raise to stop.
    """
    return pair.once("poses near axes", lambda: _searched(pair, report_progress))


def _searched(pair: Pair, report_progress: Callable[[float], None]) -> list[np.ndarray]:
    rotations = near_axes(pair.fixed.grid.axes, pair.moving.grid.axes)
    found: list[list[np.ndarray]] = []
    for number, (fixed, moving) in enumerate([(pair.fixed, pair.moving), pair.flattened]):

        def report(share: float, number: int = number) -> None:
            report_progress((number + share) / 2)

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
    return [pose for both in zip_longest(*found) for pose in both if pose is not None]
