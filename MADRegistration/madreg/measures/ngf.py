"""Normalised gradient fields: edges that point the same way, whatever the sign of the contrast."""

from __future__ import annotations

import torch

from ..morphology import lowest_around
from ..smoothing import world_gradient
from ..volume import Volume, sample_array
from .base import map_points, sample_points


def edge_parameter(gradient: torch.Tensor, mask: torch.Tensor) -> float:
    """Gradient length (per mm) below which an edge counts as noise: the mean length over the data.

    Haber and Modersitzki 2006, eq. 8, with noise factor 1.
    """
    length = gradient.square().sum(0).sqrt()
    return float(((length * mask).sum() / mask.sum()).clamp(min=1e-6))  # indexing by a mask takes ten times as long


def gradient_mask(mask: torch.Tensor) -> torch.Tensor:
    """float32 (k, j, i): 1 where every neighbour has data, since a difference with what is no data is no edge.

    A mask too thin for that is taken as it is.
    """
    if mask.all():
        return torch.ones(mask.shape, device=mask.device)
    inner = lowest_around(mask.float(), (1, 1, 1))
    return inner if inner.any() else mask.float()


class NGF:
    """``1 - mean (n_F . n_M)^2`` with ``n = grad / sqrt(|grad|^2 + eta^2)``, over the common field of view.

    Source: Haber and Modersitzki 2006, "Intensity gradient based registration and fusion of multi-modal images".
    The gradient of the moved image is ``A^T grad M (T x)``.  Fixed points are weighted by ``|n_F|^2``: where the
    fixed image is flat there is nothing to agree with, and the mean would drown in it.

    Args: as for :class:`NMI`.
    """

    name = "ngf"

    def __init__(self, fixed: Volume, moving: Volume, samples: int = 30_000, seed: int = 0,
                 points: torch.Tensor | None = None) -> None:
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
        *gradient, inside = sample_array(self.gradient_and_mask, self.inverse, where, "zeros")
        gradient = torch.stack(gradient, -1)
        gradient = gradient @ matrices[:, :3, :3].to(gradient.dtype).to(gradient.device)  # rows: (A^T g)^T = g^T A
        agreement = (gradient * self.fixed_normal).sum(-1).square() / (gradient.square().sum(-1) + self.eta**2)
        weight = inside * self.weight
        # a pair that hardly overlaps must not win by agreeing on a handful of points
        return 1 - (agreement * inside).sum(-1) / weight.sum(-1).clamp(min=0.05 * self.weight.sum())
