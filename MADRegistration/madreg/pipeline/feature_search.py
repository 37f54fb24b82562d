"""Poses among which MAD's features look for the right one, for volumes that show too little in common for edges.

They bring the axes of both lattices near each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..image.pair import Pair
from ..quality.middle_features import most_alike
from .axes_search import poses_near_axes

# Of ten tuning trials that fail at first and in which the search finds the right pose, it is one of the first eight in
# eight, the 19th and the 87th in the others, where features of 4 mm agree best near it.
FIRST = 8
COUNT = 8  # of the rest


def likeliest(pair: Pair, report_progress: Callable[[float], None]) -> list[np.ndarray]:
    """The poses (4, 4), fixed LPS to moving LPS, at which edges agree best, the best first.

    Args:
        report_progress: called with the share done; may raise to stop.
    """
    return poses_near_axes(pair, report_progress)[:FIRST]


def most_alike_of_rest(
    pair: Pair, others: Sequence[np.ndarray], report_progress: Callable[[float], None]
) -> list[np.ndarray]:
    """The poses, of all but the likeliest and of ``others``, near which features of 4 mm agree best, the best first.

    Args:
        others: (4, 4) each, fixed LPS to moving LPS.
        report_progress: called with the share done; may raise to stop.
    """
    rest = poses_near_axes(pair, lambda share: report_progress(0.0))[FIRST:]
    return most_alike(pair, [*rest, *others], COUNT, report_progress)
