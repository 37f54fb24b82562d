"""Gradient descent on an image distance over a batch of linear transforms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from .measures.base import Measure
from .transforms import LinearTransform


def minimise(
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
    (see :class:`LinearTransform`), so the step lengths say how far the optimiser can get and how fine it ends.

    Args:
        measure: distance to minimise; each transform of the batch descends on its own.
        progress: called with the share done and the current matrices (B, 4, 4); may raise to stop.

    Returns:
        (B, 4, 4) matrices and (B,) values at the end.
    """
    optimiser = torch.optim.Adam([transform.parameters], lr=first_step, betas=(0.8, 0.95))
    decay = (last_step / first_step) ** (1 / max(steps - 1, 1))
    for step in range(steps):
        optimiser.zero_grad()
        measure(transform.matrices()).sum().backward()
        # Adam divides by the gradient's own size: a transform without overlap, whose gradient is 0, must stay put
        transform.parameters.grad.nan_to_num_(0.0)
        optimiser.step()
        for group in optimiser.param_groups:
            group["lr"] *= decay
        if progress:
            progress((step + 1) / steps, transform.numpy())
    return transform.numpy(), evaluate(measure, transform.numpy())


def evaluate(measure: Measure, matrices: np.ndarray) -> np.ndarray:
    """Values (B,) of a measure at (B, 4, 4) matrices, without gradient."""
    with torch.no_grad():
        return measure(torch.as_tensor(matrices, dtype=torch.float64)).cpu().numpy()
