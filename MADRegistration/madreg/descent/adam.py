"""Descent on an image distance over a batch of linear transforms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ..measures.base import Measure
from .evaluation import evaluate, value_and_gradient
from .parameters import LinearTransform


class Adam:
    """Kingma and Ba 2015, "Adam: a method for stochastic optimization", algorithm 1.

    torch has it too, but loads its compiler when its first optimizer is made: a second of every registration.
    """

    def __init__(self, parameters: torch.Tensor, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self.parameters, self.betas = parameters, betas
        self.mean, self.square = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self.count = 0

    @torch.no_grad()
    def step(self, gradient: torch.Tensor, length: float) -> None:
        """Move every parameter by about ``length``, against the gradient."""
        self.count += 1
        first, second = self.betas
        self.mean.mul_(first).add_(gradient, alpha=1 - first)
        self.square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        deviation = (self.square / (1 - second**self.count)).sqrt_().add_(1e-8)
        self.parameters.addcdiv_(self.mean, deviation, value=-length / (1 - first**self.count))

    def keep(self, which: torch.Tensor, parameters: torch.Tensor) -> None:
        """Go on with some rows, chosen by bool (B,), which are now these parameters."""
        self.parameters, self.mean, self.square = parameters, self.mean[which], self.square[which]


BETAS = (0.8, 0.95)


def adam(
    measure: Measure,
    transform: LinearTransform,
    *,
    steps: int,
    first_step: float,
    last_step: float,
    progress: Callable[[float, np.ndarray], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Descend with Adam; the step length falls geometrically from ``first_step`` to ``last_step`` mm.

    Adam moves every parameter by about the step length whatever the scale of the measure, and parameters are in mm
    (see :class:`LinearTransform`), so the step lengths determine how far the optimizer gets and how accurately it ends.

    Args:
        measure: distance to minimize; each transform of the batch descends on its own.
        progress: called with the share done and the current matrices (B, 4, 4); may raise to stop.

    Returns:
        (B, 4, 4) matrices and (B,) values at the end.
    """
    optimizer = Adam(transform.parameters, BETAS)
    for step, length in enumerate(step_lengths(steps, first_step, last_step)):
        optimizer.step(value_and_gradient(measure, transform)[1], length)
        if progress:
            progress((step + 1) / steps, transform.numpy())
    return transform.numpy(), evaluate(measure, transform.numpy())


def step_lengths(steps: int, first_step: float, last_step: float) -> list[float]:
    """Of the steps of a descent: they fall geometrically."""
    decay = (last_step / first_step) ** (1 / max(steps - 1, 1))
    return [first_step * decay**step for step in range(steps)]
