"""Normalised gradient fields: edges that point the same way, whatever the sign of the contrast."""

from __future__ import annotations

import torch

from ..image.gradients import edge_parameter, gradient_mask, world_gradient
from ..image.points import sample_points
from ..image.sampling import interleaved, sample_array, sample_moved
from ..image.volume import Volume


class NGF:
    """``1 - mean (n_F . n_M)^2`` with ``n = grad / sqrt(|grad|^2 + eta^2)``, over the common field of view.

    Source: Haber and Modersitzki 2006, "Intensity gradient based registration and fusion of multi-modal images".
    The gradient of the moved image is ``A^T grad M (T x)``.  Fixed points are weighted by ``|n_F|^2``: where the
    fixed image is flat there is nothing to agree with, and the mean would drown in it.

    Args: as for :class:`~madreg.measures.nmi.NMI`.
    """

    name = "ngf"

    def __init__(
        self, fixed: Volume, moving: Volume, samples: int = 30_000, seed: int = 0, points: torch.Tensor | None = None
    ) -> None:
        self.points = sample_points(fixed, samples, seed) if points is None else points
        gradient = world_gradient(fixed.data, fixed.grid)
        there = gradient_mask(fixed.mask)
        eta = edge_parameter(gradient, there > 0)
        at_points = sample_array(torch.cat([gradient, there[None]]), fixed.grid.inverse, self.points, "zeros").T
        self.fixed_normal = at_points[:, :3] / (at_points[:, :3].square().sum(-1, keepdim=True) + eta**2).sqrt()
        self.fixed_normal = self.fixed_normal * at_points[:, 3:]
        self.weight = self.fixed_normal.square().sum(-1)
        gradient = world_gradient(moving.data, moving.grid)
        there = gradient_mask(moving.mask)
        self.eta = edge_parameter(gradient, there > 0)
        self.gradient_and_mask = interleaved([*gradient, there])
        self.grid = moving.grid

    def __call__(self, matrices: torch.Tensor) -> torch.Tensor:
        return self.of_samples(sample_moved(self.gradient_and_mask, self.grid, matrices, self.points), matrices)

    def of_samples(self, samples: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
        """(B,) of samples (4, B, N) of :attr:`gradient_and_mask` at the points under matrices (B, 4, 4)."""
        gradient, inside = samples[:3].transpose(0, 1), samples[3]  # (B, 3, N), (B, N)
        gradient = matrices[:, :3, :3].to(inside.dtype).to(inside.device).transpose(1, 2) @ gradient
        agreement = (gradient * self.fixed_normal.T).sum(1).square() / (gradient.square().sum(1) + self.eta**2)
        weight = inside * self.weight
        # a pose that hardly overlaps must not be best for agreement on a handful of points
        return 1 - (agreement * inside).sum(-1) / weight.sum(-1).clamp(min=0.05 * self.weight.sum())
