"""Where MAD predicts: the lattices on which its network looks at a pair, and the positions of its predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ..image.geometry import Grid, apply
from ..image.sampling import sample_array
from ..image.volume import Volume
from ..network.settings import STRIDE
from .scan_features import lattice_axes

PATCH = 24  # voxels along the edge of a patch in the published mode
FOREGROUND = 0.7  # share of what a position stands for, from which its prediction counts
LEAST = 2 * STRIDE  # steps along each axis: a thinner lattice leaves nothing to average over
SEARCHED = 0.1  # share from which a position is matched at all


@dataclass(frozen=True)
class Sites:
    """Positions of predictions over the fixed foreground.

    Attributes:
        lattice: (B, k, j, i, 3) float32 LPS mm, where both images are sampled.
        middle: indices of the positions in ``lattice``, along k, j, i.
        weight: how much each position counts.
        points: (n, 3) those that count.
        grid: of the positions; None for patches.
        queries: (n,) flat indices of the positions that are matched; None for patches, where all are.
    """

    lattice: torch.Tensor
    middle: slice
    weight: torch.Tensor
    points: torch.Tensor
    grid: Grid | None = None
    queries: torch.Tensor | None = None

    def middles(self, lattice: torch.Tensor) -> torch.Tensor:
        """The positions among samples like :attr:`lattice`."""
        return lattice[:, self.middle, self.middle, self.middle]


def dense_sites(fixed: Volume, spacing: float, margin: float) -> Sites:
    """One lattice over the whole fixed foreground, along the fixed volume's own axes, ordered and directed as LPS.

    Args:
        fixed: at ``spacing`` mm, that of the network.
        margin: mm around the foreground.
    """
    axes = lattice_axes(fixed, np.eye(3))  # the network was trained so, whatever the order of the voxels in a file
    axes = axes * np.array([1.0, 1.0, np.sign(np.linalg.det(axes))])  # the network was not trained on mirrored lattices
    inside = _foreground_points(fixed) @ axes
    low, high = inside.min(0) - margin, inside.max(0) + margin
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
        slice(None, None, STRIDE),
        weight,
        lattice[::STRIDE, ::STRIDE, ::STRIDE][weight > 0],
        Grid((ni, nj, nk), grid.matrix @ np.diag([STRIDE, STRIDE, STRIDE, 1.0])),
        torch.nonzero(share.flatten() > SEARCHED)[:, 0],
    )


def patch_sites(fixed: Volume, spacing: float, count: int, seed: int) -> Sites:
    """Random patches of :data:`PATCH` voxels, as published.

    Args:
        fixed: at ``spacing`` mm, that of the network.
        seed: random seed.
    """
    inside = _foreground_points(fixed)
    rng = np.random.default_rng(seed)
    chosen = inside[rng.choice(len(inside), min(count, len(inside)), replace=False)]
    points = torch.as_tensor(chosen, dtype=torch.float32, device=fixed.device)
    patch = Grid((PATCH,) * 3, np.diag([spacing, spacing, spacing, 1.0])).points(fixed.device)
    half = PATCH // 2
    patch = patch - patch[half, half, half]
    lattice = patch + points[:, None, None, None]
    return Sites(lattice, slice(half, half + 1), torch.ones(len(chosen), device=fixed.device), points)


def _foreground_points(volume: Volume) -> np.ndarray:
    """(n, 3) LPS mm: voxels of the foreground."""
    return apply(volume.grid.matrix, torch.nonzero(volume.foreground).cpu().numpy()[:, ::-1])
