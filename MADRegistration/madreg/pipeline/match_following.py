"""The poses that MAD's matches lead to, of which from a start too far for NMI one is often better."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..descent.evaluation import evaluate
from ..image.pair import Pair
from ..image.transform import Transform
from ..measures.mad import mad_of
from ..pose.matches import align
from ..progress import Monitor, StageRecord
from ..quality.fine_features import MOST_LITERS, liters_shown
from .feature_search import match_search


@dataclass(frozen=True)
class MatchFollowing:
    """A stage that follows the matches of MAD's features, and those of its network, from the first transform.

    Those of the features lead back from any translation, also in slabs; those of the network, in whole heads, from any
    rotation.

    Attributes:
        weights: ``.pt`` file of the network; the bundled one if None.
    """

    weights: str | None = None

    def run(self, pair: Pair, transforms: list[Transform], monitor: Monitor) -> list[Transform]:
        """The transforms, and those that are found last.

        Volumes larger than a head, of which features take much memory, and a network that does not match add nothing.
        """
        clock, start, found = time.perf_counter(), transforms[0].matrix, list(transforms)
        if max(liters_shown(pair)) <= max(MOST_LITERS):
            found.append(Transform(match_search(pair).settle(start)))
            monitor.report("matches", 0.3, found[-1])
        mad = mad_of(pair, self.weights)
        if mad.finds_correspondences:
            pose, after = align(
                mad,
                start,
                progress=lambda share, matrix: monitor.report("matches", 0.3 + 0.7 * share, Transform(matrix)),
            )
            before = float(evaluate(mad, start[None])[0])
            monitor.record(StageRecord("matches", "mad", before, after, time.perf_counter() - clock))
            found.append(Transform(pose))
        return found
