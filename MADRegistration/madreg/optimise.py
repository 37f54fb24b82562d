"""Descent on an image distance over a batch of linear transforms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from .measures.base import Measure
from .transforms import LinearTransform


class Adam:
    """Kingma and Ba 2015, "Adam: a method for stochastic optimization", algorithm 1.

    torch has it too, but loads its compiler when its first optimiser is made: a second of every registration.
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
    optimiser = Adam(transform.parameters, betas=(0.8, 0.95))
    decay = (last_step / first_step) ** (1 / max(steps - 1, 1))
    for step in range(steps):
        optimiser.step(_gradient(measure, transform)[1], first_step * decay**step)
        if progress:
            progress((step + 1) / steps, transform.numpy())
    return transform.numpy(), evaluate(measure, transform.numpy())


def polish(
    measure: Measure,
    transform: LinearTransform,
    *,
    steps: int,
    first_step: float,
    last_step: float,
    progress: Callable[[float, np.ndarray], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Descend with BFGS from close by: a third of the evaluations that Adam needs, and it ends in the very minimum.

    Nocedal and Wright 2006, "Numerical optimization", section 6.1, with backtracking in place of a line search.

    Args:
        first_step: mm, longest step.
        last_step: mm; a transform whose next step is shorter is done.
        measure, transform, progress: as for :func:`minimise`, which see for what is returned.
        steps: most evaluations.
    """
    parameters = transform.parameters
    count = parameters.shape[1]
    value, gradient = _gradient(measure, transform)
    here = parameters.detach().clone()
    first_length = gradient.norm(dim=1).clamp(min=1e-12)
    inverse = torch.eye(count, dtype=here.dtype) * (0.5 * first_step / first_length)[:, None, None]
    step = _no_longer(-(inverse @ gradient[..., None])[..., 0], first_step)
    for number in range(steps):
        with torch.no_grad():
            parameters.copy_(here + step)
        new_value, new_gradient = _gradient(measure, transform)
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


def _updated(inverse: torch.Tensor, change: torch.Tensor, curvature: torch.Tensor,
             product: torch.Tensor) -> torch.Tensor:
    """Inverse Hessians (B, n, n) after steps ``change`` (B, n) that changed the gradients by ``curvature`` (B, n)."""
    product = product[:, None, None]
    across = change[:, :, None] * curvature[:, None, :] / product
    rest = torch.eye(change.shape[1], dtype=inverse.dtype) - across
    return rest @ inverse @ rest.transpose(1, 2) + change[:, :, None] * change[:, None, :] / product


def _no_longer(step: torch.Tensor, length: float) -> torch.Tensor:
    """Steps (B, n), shortened to ``length`` mm where they are longer."""
    return step * (length / step.norm(dim=1, keepdim=True).clamp(min=1e-12)).clamp(max=1)


def _gradient(measure: Measure, transform: LinearTransform) -> tuple[torch.Tensor, torch.Tensor]:
    """Values (B,) and gradients (B, n), float64 on the CPU.

    A transform without overlap has none; it must stay put rather than spoil the batch.
    """
    value = measure(transform.matrices())
    (gradient,) = torch.autograd.grad(value.sum(), transform.parameters)
    return value.detach().cpu().double(), gradient.nan_to_num(0.0)


def evaluate(measure: Measure, matrices: np.ndarray) -> np.ndarray:
    """Values (B,) of a measure at (B, 4, 4) matrices, without gradient."""
    with torch.no_grad():
        return measure(torch.as_tensor(matrices, dtype=torch.float64)).cpu().numpy()
