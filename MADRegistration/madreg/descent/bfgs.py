"""Descent with BFGS on an image distance, over a batch of linear transforms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ..measures.base import Measure
from .evaluation import value_and_gradient
from .parameters import LinearTransform


def bfgs(
    measure: Measure,
    transform: LinearTransform,
    *,
    steps: int,
    first_step: float,
    last_step: float,
    progress: Callable[[float, np.ndarray], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Descend with BFGS from close by: a third of the evaluations that Adam needs, and it converges to the minimum.

    Nocedal and Wright 2006, "Numerical optimization", section 6.1, with backtracking in place of a line search.

    Args:
        first_step: mm, longest step.
        last_step: mm; a transform whose next step is shorter is done.
        measure, transform, progress: as for :func:`~madreg.descent.adam.adam`, which see for what is returned.
        steps: most evaluations.
    """
    parameters = transform.parameters
    count = parameters.shape[1]
    value, gradient = value_and_gradient(measure, transform)
    here = parameters.detach().clone()
    first_length = gradient.norm(dim=1).clamp(min=1e-12)
    inverse = torch.eye(count, dtype=here.dtype) * (0.5 * first_step / first_length)[:, None, None]
    step = _no_longer(-(inverse @ gradient[..., None])[..., 0], first_step)
    for number in range(steps):
        with torch.no_grad():
            parameters.copy_(here + step)
        new_value, new_gradient = value_and_gradient(measure, transform)
        better = new_value < value
        change, curvature = step, new_gradient - gradient
        product = (change * curvature).sum(1)
        learn = better & (product > 1e-10 * change.norm(dim=1) * curvature.norm(dim=1))
        inverse[learn] = _updated(inverse[learn], change[learn], curvature[learn], product[learn])
        here[better], value[better], gradient[better] = (here + step)[better], new_value[better], new_gradient[better]
        onward = _no_longer(-(inverse @ gradient[..., None])[..., 0], first_step)
        step = torch.where(better[:, None], onward, 0.3 * step)
        if progress:
            progress((number + 1) / steps, transform.numpy())
        if (step.norm(dim=1) < last_step).all():
            break
    with torch.no_grad():
        parameters.copy_(here)
    return transform.numpy(), value.numpy()


def _updated(
    inverse: torch.Tensor, change: torch.Tensor, curvature: torch.Tensor, product: torch.Tensor
) -> torch.Tensor:
    """Inverse Hessians (B, n, n) after steps ``change`` (B, n) that changed the gradients by ``curvature`` (B, n)."""
    product = product[:, None, None]
    across = change[:, :, None] * curvature[:, None, :] / product
    rest = torch.eye(change.shape[1], dtype=inverse.dtype) - across
    return rest @ inverse @ rest.transpose(1, 2) + change[:, :, None] * change[:, None, :] / product


def _no_longer(step: torch.Tensor, length: float) -> torch.Tensor:
    """Steps (B, n), shortened to ``length`` mm where they are longer."""
    return step * (length / step.norm(dim=1, keepdim=True).clamp(min=1e-12)).clamp(max=1)
