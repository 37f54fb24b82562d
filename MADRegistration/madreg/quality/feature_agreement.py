"""How alike MAD's features are at a pose, and where near it they are most alike.

Points lie in the volume that shows a part of the other, if one does; all others would have no counterpart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ..descent.objective import Forward, Objective, Schedule, in_smaller
from ..image.pair import Pair
from ..measures.feature_mad import FeatureMAD

MIDDLE = 1
"""Level of the features that leads to a pose of slabs from 12 mm and 12 degrees.  That of 8 mm, which leads farther,
leads away from right poses of slabs that have little in common: it agrees as well elsewhere."""
CELL_MM = 15.0
TINY = 1e-9  # a standard error, where no point has a counterpart


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


class Agreement(NamedTuple):
    """How alike features are at a pose.

    Attributes:
        value: mean cosine, less that of a random pair of points; points without a counterpart count as 0.
        significance: the value in units of its standard error; points within a cell of :data:`CELL_MM` count as one, as
            their features are of about the same anatomy.
    """

    value: float
    significance: float


@torch.no_grad()
def agreement(pair: Pair, measure: FeatureMAD, pose: np.ndarray) -> Agreement:
    """The agreement of the features of a measure at a pose (4, 4)."""
    there = np.linalg.inv(pose) if pair.moving_is_part else pose
    alike = measure.alike(torch.tensor(there, dtype=torch.float64)[None])[0].cpu().double().numpy()
    mean = float(alike.mean())
    cells = np.floor(measure.points.cpu().numpy() @ measure.fixed.axes / CELL_MM)
    of_cell = np.unique(cells, axis=0, return_inverse=True)[1].ravel()
    deviations = np.bincount(of_cell, alike - mean)
    standard_error = np.sqrt(np.square(deviations).sum()) / len(alike)
    return Agreement(measure.share * mean, mean / max(standard_error, TINY))


def _objective(pair: Pair, measure: FeatureMAD) -> Objective:
    return in_smaller(pair, lambda part: Forward(measure, part.points))
