"""The poses that MAD's matches lead to, of which from a start too far for NMI one is often better."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..descent.evaluation import evaluate
from ..image.pair import Pair
from ..image.transform import Transform
from ..measures.mad import MAD, mad_of
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
        clock, start, found = time.perf_counter(), transforms[0], list(transforms)
        led = led_by_features(pair, start, monitor.part(0.0, 0.3))
        if led is not None:
            found.append(led)
        mad = mad_of(pair, self.weights)
        if mad.finds_correspondences:
            there, after = led_by_network(mad, start, monitor.part(0.3, 1.0))
            before = float(evaluate(mad, start.matrix[None])[0])
            monitor.record(StageRecord("matches", "mad", before, after, time.perf_counter() - clock))
            found.append(there)
        return found


def led_by_features(
    pair: Pair, start: Transform, monitor: Monitor, weights_path: str | None = None
) -> Transform | None:
    """Where matches of features lead from a start; None of volumes larger than a head, of which features take much
    memory.

    Args:
        weights_path: ``.pt`` file of the features; the bundled ones if None.
    """
    if max(liters_shown(pair)) > max(MOST_LITERS):
        return None
    search = match_search(pair, weights_path=weights_path)
    return Transform(search.settle(start.matrix, lambda share: monitor.report("matches", share, start)))


def led_by_network(mad: MAD, start: Transform, monitor: Monitor) -> tuple[Transform, float]:
    """Where matches of a siamese network lead from a start, and the distance in mm that it predicts there."""
    pose, predicted = align(
        mad, start.matrix, progress=lambda share, matrix: monitor.report("matches", share, Transform(matrix))
    )
    return Transform(pose), predicted
