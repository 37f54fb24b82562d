"""Many descents side by side, of which those that stay behind are left out on the way."""

from __future__ import annotations

import numpy as np
import torch

from ..measures.base import Measure
from .adam import BETAS, Adam, step_lengths
from .evaluation import evaluate, value_and_gradient
from .objective import Schedule
from .parameters import LinearTransform


class Descents:
    """Rigid descents with Adam from several poses, as of :func:`~madreg.descent.adam.adam`.

    Args:
        measure: distance to minimize; every pose descends on its own.
        points: (n, 3) LPS mm of the fixed foreground, which set the centre and the size of the transforms.
        starts: (B, 4, 4) poses, fixed LPS to moving LPS.

    Attributes:
        values: (B,) before the last step.
    """

    def __init__(self, measure: Measure, points: np.ndarray, starts: np.ndarray, schedule: Schedule) -> None:
        self.measure = measure
        self.transform = LinearTransform.over(points, starts)
        self.optimizer = Adam(self.transform.parameters, BETAS)
        self.lengths = step_lengths(schedule.steps, schedule.first_step, schedule.last_step)
        self.values = np.zeros(len(starts))

    def descend(self, steps: int) -> None:
        """Make so many steps, or as many as are left."""
        if not len(self.values):
            return
        for length in self.lengths[:steps]:
            value, gradient = value_and_gradient(self.measure, self.transform)
            self.values = value.numpy()
            self.optimizer.step(gradient, length)
        self.lengths = self.lengths[steps:]

    def keep(self, which: np.ndarray) -> None:
        """Go on with some poses, chosen by bool (B,)."""
        chosen = torch.from_numpy(which)
        self.transform, self.values = self.transform.some(chosen), self.values[which]
        self.optimizer.keep(chosen, self.transform.parameters)

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Poses (B, 4, 4) and their values (B,)."""
        poses = self.transform.numpy()
        return poses, evaluate(self.measure, poses) if len(poses) else self.values
