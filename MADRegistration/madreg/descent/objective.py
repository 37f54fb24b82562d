"""What a descent lowers: a measure, and the points that its transforms move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..image.pair import Pair
from ..measures.base import Measure
from .evaluation import evaluate
from .parameters import LinearTransform

Report = Callable[[float, np.ndarray], None]
Descent = Callable[..., tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Schedule:
    """How a descent proceeds.

    Attributes:
        descent: its method, :func:`~madreg.descent.adam.adam` or :func:`~madreg.descent.bfgs.bfgs`.
        steps: evaluations at most.
        first_step, last_step: lengths in mm.
    """

    descent: Descent
    steps: int
    first_step: float
    last_step: float


class Objective(Protocol):
    """A function of poses (B, 4, 4), fixed LPS to moving LPS, that can be lowered."""

    name: str

    def values(self, poses: np.ndarray) -> np.ndarray:
        """(B,) values; lower is better."""

    def descend(
        self, poses: np.ndarray, kind: str, schedule: Schedule, report: Report | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Poses (B, 4, 4) and their values (B,) at the end of a descent from each pose.

        Args:
            kind: what may change: ``rigid``, ``similarity`` or ``affine``.
            report: called with the share done and the current poses; may raise to stop.
        """


class Forward:
    """A measure of fixed points under a transform.

    Args:
        points: (n, 3) LPS mm of the fixed foreground, which set the centre and the size of the transform.
    """

    def __init__(self, measure: Measure, points: np.ndarray) -> None:
        self.measure, self.points, self.name = measure, points, measure.name

    def values(self, poses: np.ndarray) -> np.ndarray:
        return evaluate(self.measure, poses)

    def descend(
        self, poses: np.ndarray, kind: str, schedule: Schedule, report: Report | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        transform = LinearTransform.over(self.points, poses, kind)
        return schedule.descent(
            self.measure,
            transform,
            steps=schedule.steps,
            first_step=schedule.first_step,
            last_step=schedule.last_step,
            progress=report,
        )


class Reversed:
    """An objective of the swapped pair: it takes and returns the inverses of its poses."""

    def __init__(self, objective: Objective) -> None:
        self.objective, self.name = objective, objective.name

    def values(self, poses: np.ndarray) -> np.ndarray:
        return self.objective.values(np.linalg.inv(poses))

    def descend(
        self, poses: np.ndarray, kind: str, schedule: Schedule, report: Report | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        inverse_report = report and (lambda share, inverses: report(share, np.linalg.inv(inverses)))
        inverses, values = self.objective.descend(np.linalg.inv(poses), kind, schedule, inverse_report)
        return np.linalg.inv(inverses), values


def in_smaller(pair: Pair, make: Callable[[Pair], Forward]) -> Objective:
    """What ``make`` returns for a pair, with its points in the moving volume if that shows a part of the fixed one.

    Of points all over a head few lie in a slab.
    """
    return Reversed(make(pair.swapped)) if pair.moving_is_part else make(pair)
