"""Blocks of the fixed scan about a pose, and how well each of them fits the moving scan at every displacement."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F

from ..image.geometry import Grid
from ..image.points import lattice_points

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
    """

    reach: int
    grid: Grid
    chosen: torch.Tensor
    centers: torch.Tensor
    weight: torch.Tensor
    scores: torch.Tensor

    def at(self, displacements: torch.Tensor, scores: torch.Tensor | None = None) -> torch.Tensor:
        """Scores (S, B) at displacements (S, B, 3), mm along the lattice's axes; beyond reach, as at its end.

        They are smooth and differentiable.

        A uniform cubic B-spline that does not interpolate: with linear interpolation every optimum would be a sample.
        """
        padded = self._padded if scores is None else _padded(scores)
        count, width = 2 * self.reach + 1, 2 * self.reach + 3
        where = (displacements / SPACING).clamp(-self.reach, self.reach) + self.reach
        base = where.detach().floor().clamp(max=count - 2)
        t = where - base
        taps = torch.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
        step = torch.arange(4, device=base.device)
        around = ((step[:, None, None] * width + step[:, None]) * width + step).flatten()
        x, y, z = base.long().unbind(-1)
        flat = ((z * width + y) * width + x)[..., None] + around
        near = padded.expand(len(flat), -1, -1).gather(2, flat).unflatten(2, (4, 4, 4))
        along_x = torch.einsum("sbzyx,xsb->sbzy", near, taps[..., 0])
        return torch.einsum("sbz,zsb->sb", torch.einsum("sbzy,ysb->sbz", along_x, taps[..., 1]), taps[..., 2])

    @cached_property
    def _padded(self) -> torch.Tensor:
        return _padded(self.scores)

    @cached_property
    def axes(self) -> torch.Tensor:
        """(3, 3), a column each: the axes of the lattice."""
        return torch.as_tensor(self.grid.axes, dtype=self.centers.dtype, device=self.centers.device)

    def displacements(self) -> torch.Tensor:
        """(n^3, 3) mm along the lattice's axes, in the order of the flattened scores."""
        at = torch.arange(-self.reach, self.reach + 1, device=self.weight.device) * SPACING
        return lattice_points(at, at, at).reshape(-1, 3).float()


def _padded(scores: torch.Tensor) -> torch.Tensor:
    """Scores (B, n, n, n) with their ends repeated once on every side: (B, (n + 2)^3)."""
    return F.pad(scores[None], [1] * 6, mode="replicate")[0].flatten(1)
