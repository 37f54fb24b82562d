"""NMI and its descent as the group that published MAD publishes them elsewhere."""

from __future__ import annotations

import numpy as np
import torch

from madreg.descent.evaluation import value_and_gradient
from madreg.descent.parameters import LinearTransform
from madreg.image.volume import Volume
from madreg.measures.base import Measure

BINS = 32
WINDOW = 0.1
"""Standard deviation of the Gaussian window, in units of intensity; images are 0 to 1."""


class PublishedNMI:
    """Negative normalized mutual information of all fixed voxels, with a Gaussian window on both intensities.

    The joint histogram has :data:`BINS` bins between the least and the greatest intensity of both images; beyond the
    moving image there is zero.  After Qiu et al. 2021, "Learning diffeomorphic and modality-invariant registration
    using B-splines" (code: github.com/qiuhuaqi/midir).

    Args:
        fixed, moving: the pair, intensities normalized to about [0, 1].
    """

    name = "nmi:paper"

    def __init__(self, fixed: Volume, moving: Volume) -> None:
        self.moving = moving
        self.points = fixed.grid.points(fixed.device).reshape(-1, 3)
        low = float(min(fixed.data.min(), moving.data.min()))
        high = float(max(fixed.data.max(), moving.data.max()))
        self.bins = torch.linspace(low, high, BINS, device=fixed.device)
        self.fixed_window = self._window(fixed.data.flatten())

    def _window(self, values: torch.Tensor) -> torch.Tensor:
        """(n, BINS) share of each bin in each of some values (n,)."""
        near = torch.exp(-0.5 * ((values[:, None] - self.bins) / WINDOW).square())
        return near / near.sum(1, keepdim=True)

    def __call__(self, matrices: torch.Tensor) -> torch.Tensor:
        return torch.stack([self._of(matrix[None]) for matrix in matrices])

    def _of(self, matrix: torch.Tensor) -> torch.Tensor:
        values, inside = self.moving.sample_moved(matrix, self.points)
        joint = self.fixed_window.T @ self._window((values * inside)[0]) / len(self.points)
        entropy = lambda p: -(p * (p + 1e-10).log()).sum()  # noqa: E731
        return -(entropy(joint.sum(1)) + entropy(joint.sum(0))) / entropy(joint)


def gradient_descent(measure: Measure, transform: LinearTransform, steps: int, rate: float) -> np.ndarray:
    """The (4, 4) matrix after plain gradient descent: ``rate`` mm for a slope of 1 a mm, the same in every step."""
    for _ in range(steps):
        gradient = value_and_gradient(measure, transform)[1]
        with torch.no_grad():
            transform.parameters.sub_(rate * gradient)
    return transform.numpy()[0]
