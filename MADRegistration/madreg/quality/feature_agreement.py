"""How alike MAD's features are at a pose, and where near it they are most alike.

Points lie in the volume that shows a part of the other, if one does; all others would have no counterpart.
"""

from __future__ import annotations

import numpy as np

from ..descent.objective import Forward, Objective, Schedule, in_smaller
from ..image.pair import Pair
from ..measures.feature_mad import FeatureMAD

MIDDLE = 1
"""Level of the features that leads to a pose of slabs from 12 mm and 12 degrees.  That of 8 mm, which leads farther,
leads away from right poses of slabs that have little in common: it agrees as well elsewhere."""


def features_seen_from(pair: Pair, pose: np.ndarray, samples: int, level: int | None = None) -> FeatureMAD:
    """The measure of a pair, of which the part near a pose (4, 4) is encoded as it is seen from there.

    Args:
        samples: how many points.
        level: of the features, alone; of all levels if None, which takes longer.

    Raises:
        InputError: if the bundled weights are damaged.
    """
    part, there = (pair.swapped, np.linalg.inv(pose)) if pair.moving_is_part else (pair, pose)

    def make() -> FeatureMAD:
        return FeatureMAD(part.fixed, part.moving, None, pair.seed, samples, None if level is None else [level])

    return pair.once(("features", samples, level), make).seen_from(there, part=True)


def descended(pair: Pair, measure: FeatureMAD, pose: np.ndarray, schedule: Schedule, kind: str = "rigid") -> np.ndarray:
    """The pose (4, 4) at the end of a descent from a pose.

    Args:
        kind: what may change: ``rigid``, ``similarity`` or ``affine``.
    """
    return _objective(pair, measure).descend(pose[None], kind, schedule)[0][0]


def agreement(pair: Pair, measure: FeatureMAD, pose: np.ndarray) -> float:
    """How much more alike than chance features are at a pose (4, 4); points without a counterpart count as 0."""
    return 1 - float(_objective(pair, measure).values(pose[None])[0])


def _objective(pair: Pair, measure: FeatureMAD) -> Objective:
    return in_smaller(pair, lambda part: Forward(measure, part.points))
