"""The pose that MAD's matches lead to, which from a start too far for NMI is often the better one."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..descent.evaluation import evaluate
from ..image.pair import Pair
from ..image.transform import Transform
from ..measures.mad import mad_of
from ..pose.matches import align
from ..progress import Monitor, StageRecord


@dataclass(frozen=True)
class MatchFollowing:
    """A stage that follows the matches of MAD's network from the first transform.

    Attributes:
        weights: ``.pt`` file of the network; the bundled one if None.
    """

    weights: str | None = None

    def run(self, pair: Pair, transforms: list[Transform], monitor: Monitor) -> list[Transform]:
        """The transforms, and the one that is found last; a network that does not match adds nothing."""
        mad = mad_of(pair, self.weights)
        if not mad.finds_correspondences:
            return transforms
        clock, start = time.perf_counter(), transforms[0].matrix
        pose, after = align(
            mad, start, progress=lambda share, matrix: monitor.report("matches", share, Transform(matrix))
        )
        before = float(evaluate(mad, start[None])[0])
        monitor.record(StageRecord("matches", "mad", before, after, time.perf_counter() - clock))
        return [*transforms, Transform(pose)]
