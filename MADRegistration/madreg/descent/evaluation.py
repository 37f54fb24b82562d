"""Values and gradients of an image distance at a batch of linear transforms."""

from __future__ import annotations

import numpy as np
import torch

from ..measures.base import Measure
from .parameters import LinearTransform


def value_and_gradient(measure: Measure, transform: LinearTransform) -> tuple[torch.Tensor, torch.Tensor]:
    """Values (B,) and gradients (B, n), float64 on the CPU.

    A transform without overlap has none; it must stay put rather than spoil the batch.
    """
    value = measure(transform.matrices())
    (gradient,) = torch.autograd.grad(value.sum(), transform.parameters)
    return value.detach().cpu().double(), gradient.nan_to_num(0.0)


def evaluate(measure: Measure, matrices: np.ndarray) -> np.ndarray:
    """Values (B,) of a measure at (B, 4, 4) matrices, without gradient."""
    with torch.no_grad():
        return measure(torch.tensor(matrices, dtype=torch.float64)).cpu().numpy()
