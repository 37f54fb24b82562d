"""Normalised gradient fields: edges that point the same way, whatever the sign of the contrast."""

from __future__ import annotations

import torch

from ..image.gradients import edge_parameter, gradient_mask, world_gradient
from ..image.points import map_points, sample_points
from ..image.sampling import sample_array
from ..image.volume import Volume


class NGF:
    """``1 - mean (n_F . n_M)^2`` with ``n = grad / sqrt(|grad|^2 + eta^2)``, over the common field of view.

    Source: Haber and Modersitzki 2006, "Intensity gradient based registration and fusion of multi-modal images".
    The gradient of the moved image is ``A^T grad M (T x)``.  Fixed points are weighted by ``|n_F|^2``: where the
    fixed image is flat there is nothing to agree with, and the mean would drown in it.

    Args: as for :class:`NMI`.
    """

    name = "ngf"

    def __init__(
        self, fixed: Volume, moving: Volume, samples: int = 30_000, seed: int = 0, points: torch.Tensor | None = None
    ) -> None:
        self.points = sample_points(fixed, samples, seed) if points is None else points
        gradient = world_gradient(fixed.data, fixed.grid)
        there = gradient_mask(fixed.mask)
        eta = edge_parameter(gradient, there > 0)
        inverse = torch.as_tensor(fixed.grid.inverse, dtype=torch.float32, device=fixed.device)
        at_points = sample_array(torch.cat([gradient, there[None]]), inverse, self.points, "zeros").T
        self.fixed_normal = at_points[:, :3] / (at_points[:, :3].square().sum(-1, keepdim=True) + eta**2).sqrt()
        self.fixed_normal = self.fixed_normal * at_points[:, 3:]
        self.weight = self.fixed_normal.square().sum(-1)
        gradient = world_gradient(moving.data, moving.grid)
        there = gradient_mask(moving.mask)
        self.eta = edge_parameter(gradient, there > 0)
        self.gradient_and_mask = torch.cat([gradient, there[None]])
        self.inverse = torch.as_tensor(moving.grid.inverse, dtype=torch.float32, device=moving.device)

    def __call__(self, matrices: torch.Tensor) -> torch.Tensor:
        where = map_points(matrices, self.points)
        *along, inside = sample_array(self.gradient_and_mask, self.inverse, where, "zeros")
        gradient = torch.stack(along, -1)
        gradient = gradient @ matrices[:, :3, :3].to(gradient.dtype).to(gradient.device)  # rows: (A^T g)^T = g^T A
        agreement = (gradient * self.fixed_normal).sum(-1).square() / (gradient.square().sum(-1) + self.eta**2)
        weight = inside * self.weight
        # a pose that hardly overlaps must not be best for agreement on a handful of points
        return 1 - (agreement * inside).sum(-1) / weight.sum(-1).clamp(min=0.05 * self.weight.sum())
