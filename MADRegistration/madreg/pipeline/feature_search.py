"""A search in which MAD chooses among the candidates, for volumes that show too little in common for edges.

All poses that bring the axes of both lattices near each other and at which edges agree are compared by features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..image.pair import Pair
from ..quality.middle_features import most_alike
from .axes_search import poses_near_axes

SEARCHED = 0.4  # of the time, for the search


def feature_search(
    pair: Pair, others: Sequence[np.ndarray], count: int, report_progress: Callable[[float], None]
) -> list[np.ndarray]:
    """Poses (4, 4), fixed LPS to moving LPS, near which features of 4 mm agree best, the best first.

    Args:
        others: (4, 4) each, candidates to be compared as well.
        count: how many to return at most.
        report_progress: called with the share done; may raise to stop.
    """
    found = poses_near_axes(pair, lambda share: report_progress(SEARCHED * share))
    return most_alike(pair, [*found, *others], count, lambda share: report_progress(SEARCHED + (1 - SEARCHED) * share))
