"""Which of many poses are worth a closer look: a quick comparison by structure tensors.

Blocks, NMI and NGF at one pose take as long as tensors at a dozen (:mod:`madreg.pose.tensor_agreement`).
"""

from __future__ import annotations

import numpy as np

from ..descent.adam import adam
from ..descent.objective import Forward, Objective, Schedule, in_smaller
from ..image.pair import Pair
from ..pose.tensor_agreement import TensorAgreement

SPACING = 6.0  # mm, of the tensors
POINTS = 600
DESCENT = Schedule(adam, 10, 6.0, 1.0)  # over about the reach of the blocks
# Of the flips or mirror images of 99 right and wrong poses of 33 tuning pairs, the one with the most evidence is kept
# but for four, whose evidence is less than that of the pose by 0.14 to 0.54 and of which the best one kept has 0.003 to
# 0.05 less.  Small boxes score little, 0.4 at the right pose; there, half of that says nothing.
WITHIN = 0.1  # of the best score
CLEAR, CLEARLY_WORSE = 0.5, 0.5  # a score of the pose, of which half is clearly worse


def promising(pair: Pair, pose: np.ndarray, others: list[np.ndarray]) -> list[np.ndarray]:
    """The best of other poses (n, 4, 4), and those that may have more evidence, compared with a pose (4, 4).

    Poses map fixed LPS to moving LPS, and may mirror.  The score of each is the best one within a short descent.
    """
    if len(others) < 2:
        return others
    values = _agreement(pair).descend(np.stack([pose, *others]), "rigid", DESCENT)[1]
    of_pose, *scores = np.nan_to_num(-values)  # a scan that shows nothing agrees with none
    clearly_worse = CLEARLY_WORSE * of_pose if of_pose >= CLEAR else -np.inf
    least = min(max(scores), max(max(scores) - WITHIN, clearly_worse))
    return [other for other, score in zip(others, scores, strict=True) if score >= least]


def _agreement(pair: Pair) -> Objective:
    """Minus the agreement at points in the smaller volume; made once a pair."""

    def make(part: Pair) -> Forward:
        measure = TensorAgreement(part.fixed, part.moving, SPACING, POINTS)
        return Forward(measure, measure.points.cpu().double().numpy())

    return pair.once("tensor agreement", lambda: in_smaller(pair, make))
