"""Blocks of the fixed scan about a pose, and how well each of them fits the moving scan at every displacement."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F

from ..image.geometry import Grid
from ..image.points import lattice_points
from ..image.spline import cubic_b_spline, cubic_b_spline_slopes
from .thinning import every_nth

SPACING = 4.0  # mm between samples, and between displacements


@dataclass(frozen=True)
class Blocks:
    """Scores of every block of the fixed scan at every displacement about one pose.

    Attributes:
        reach: displacements to either side, along each axis; ``n = 2 reach + 1``.
        grid: lattice of the blocks' middles.
        chosen: (B,) flat indices into it: the blocks with edges in both scans.
        centers: (B, 3) LPS mm, their middles.
        weight: (B,) edge strength of each; sums to 1.
        scores: (B, n, n, n) at displacements of ``-reach`` to ``reach`` times 4 mm along k, j, i of the lattice.
        by_features: whether these compare features, and not edges.
    """

    reach: int
    grid: Grid
    chosen: torch.Tensor
    centers: torch.Tensor
    weight: torch.Tensor
    scores: torch.Tensor
    by_features: bool = False

    def at(self, displacements: torch.Tensor) -> torch.Tensor:
        """Scores (S, B) at displacements (S, B, 3), mm along the lattice's axes; beyond reach, as at its end.

        They are smooth and differentiable in the displacements.

        A uniform cubic B-spline that does not interpolate: with linear interpolation every optimum would be a sample.
        """
        return _SplineSamples.apply(self._padded, displacements / SPACING, self.reach)

    @cached_property
    def _padded(self) -> torch.Tensor:
        """(B, (n + 2)^3): the scores with their ends repeated once on every side."""
        return F.pad(self.scores[None], [1] * 6, mode="replicate")[0].flatten(1)

    @cached_property
    def axes(self) -> torch.Tensor:
        """(3, 3), a column each: the axes of the lattice."""
        return torch.as_tensor(self.grid.axes, dtype=self.centers.dtype, device=self.centers.device)

    def thinned(self, n: int) -> Blocks:
        """Every ``n``-th of the blocks, evenly spread."""
        kept = every_nth(self.chosen, self.grid.shape, n)
        weight = self.weight[kept]
        return replace(
            self,
            chosen=self.chosen[kept],
            centers=self.centers[kept],
            weight=weight / weight.sum(),
            scores=self.scores[kept],
        )

    def displacements(self) -> torch.Tensor:
        """(n^3, 3) mm along the lattice's axes, in the order of the flattened scores."""
        at = torch.arange(-self.reach, self.reach + 1, device=self.weight.device) * SPACING
        return lattice_points(at, at, at).reshape(-1, 3).float()


class _SplineSamples(torch.autograd.Function):
    """Uniform cubic B-splines of samples, and their slopes in one go: twice as fast as automatic differentiation."""

    @staticmethod
    def forward(ctx: Any, padded: torch.Tensor, at: torch.Tensor, reach: int) -> torch.Tensor:
        """Values (S, B) at displacements (S, B, 3) in samples, of scores (B, (n + 2)^3)."""
        count, width = 2 * reach + 1, 2 * reach + 3
        where = at.permute(2, 0, 1).flatten(1).clamp(-reach, reach) + reach  # (3, S B)
        base = where.floor().clamp(max=count - 2)
        t = where - base
        step = torch.arange(4, device=at.device)
        around = ((step[:, None, None] * width + step[:, None]) * width + step).flatten()
        x, y, z = base.long()
        block = torch.arange(at.shape[1], device=at.device).repeat(at.shape[0])
        first = ((block * width + z) * width + y) * width + x
        near = padded.flatten().index_select(0, (first + around[:, None]).flatten()).view(4, 4, 4, -1)
        taps = cubic_b_spline(t)
        along_x = (near * taps[:, 0]).sum(2)
        along_y = (along_x * taps[:, 1]).sum(1)
        if ctx.needs_input_grad[1]:
            slopes = cubic_b_spline_slopes(t)
            by_x = (((near * slopes[:, 0]).sum(2) * taps[:, 1]).sum(1) * taps[:, 2]).sum(0)
            by_y = ((along_x * slopes[:, 1]).sum(1) * taps[:, 2]).sum(0)
            by_z = (along_y * slopes[:, 2]).sum(0)
            gradient = torch.stack([by_x, by_y, by_z], -1).view(at.shape)
            ctx.save_for_backward(gradient * (at.abs() <= reach))
        return (along_y * taps[:, 2]).sum(0).view(at.shape[:2])

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[None, torch.Tensor, None]:
        return None, gradients[0][..., None] * ctx.saved_tensors[0], None
