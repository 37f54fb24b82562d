"""Where MAD predicts: the lattice on which its network looks at a pair, and the positions of its predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ..image.geometry import Grid, apply
from ..image.sampling import sample_array
from ..image.volume import Volume
from ..network.settings import STRIDE

MARGIN_MM = -4.0  # around the fixed foreground, which includes 10 mm of air
FOREGROUND = 0.7  # share of what a position stands for, from which its prediction counts
LEAST = 2 * STRIDE  # steps along each axis: a thinner lattice leaves nothing to average over
SEARCHED = 0.1  # share from which a position is matched at all


@dataclass(frozen=True)
class Sites:
    """Positions of predictions over the fixed foreground.

    Attributes:
        lattice: (1, k, j, i, 3) float32 LPS mm, where both images are sampled.
        weight: how much each position counts.
        points: (n, 3) those that count.
        grid: of the positions.
        queries: (n,) flat indices of the positions that are matched.
    """

    lattice: torch.Tensor
    weight: torch.Tensor
    points: torch.Tensor
    grid: Grid
    queries: torch.Tensor

    def middles(self, lattice: torch.Tensor) -> torch.Tensor:
        """The positions among samples like :attr:`lattice`."""
        return lattice[:, ::STRIDE, ::STRIDE, ::STRIDE]


def sites_over(fixed: Volume, spacing: float) -> Sites:
    """Those of a lattice over the whole fixed foreground, along the fixed volume's own axes.

    Args:
        fixed: at ``spacing`` mm, that of the network.
    """
    axes = fixed.grid.axes
    axes = axes * np.array([1.0, 1.0, np.sign(np.linalg.det(axes))])  # the network was not trained on mirrored lattices
    inside = apply(fixed.grid.matrix, torch.nonzero(fixed.foreground).cpu().numpy()[:, ::-1]) @ axes
    low, high = inside.min(0) - MARGIN_MM, inside.max(0) + MARGIN_MM
    short = np.clip(LEAST * spacing - (high - low), 0, None) / 2
    grid = Grid.covering(low - short, high + short, spacing, axes)
    lattice = grid.points(fixed.device)
    there = sample_array(fixed.foreground.float()[None], fixed.grid.inverse, lattice, "zeros")
    share = F.avg_pool3d(there[None], STRIDE + 1, STRIDE, STRIDE // 2)[0, 0]
    weight = (share > FOREGROUND).float()
    if not weight.any():
        weight = (share >= share.max()).float()
    nk, nj, ni = weight.shape
    return Sites(
        lattice[None],
        weight,
        lattice[::STRIDE, ::STRIDE, ::STRIDE][weight > 0],
        Grid((ni, nj, nk), grid.matrix @ np.diag([STRIDE, STRIDE, STRIDE, 1.0])),
        torch.nonzero(share.flatten() > SEARCHED)[:, 0],
    )
