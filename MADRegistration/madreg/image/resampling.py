"""Voxel arrays on coarser, isotropic lattices."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from .geometry import Grid, apply
from .smoothing import COARSENING, along_axes, cubic_matrix, interpolation_matrix, smoothing_matrix

COARSE = 1.01
"""Times the new spacing: above it an axis is coarser."""

Arrays = tuple[torch.Tensor, torch.Tensor, Grid]


def resample(data: torch.Tensor, mask: torch.Tensor, grid: Grid, spacing: float) -> Arrays:
    """Values, mask and lattice of ``spacing`` mm along the same axes, smoothed first so that nothing aliases.

    Axes that are already coarser than ``spacing`` are interpolated, not sharpened: by cubic convolution, as linear
    interpolation blurs between voxels and not at them, which moves the minimum of a measure by up to 0.5 mm.

    Args:
        data: (k, j, i) values.
        mask: bool (k, j, i), where there is data.
        grid: where both lie.
    """
    # what is far too fine is averaged first, for speed; not down to the new spacing, as interpolation between two
    # lattices of nearly the same spacing blurs in waves that look like edges
    factors = np.maximum(np.floor(spacing / (2 * grid.spacing) + 1e-3).astype(int), 1)
    data, known, source = _binned(data, mask, grid, factors)
    target = grid.isotropic(spacing)
    sigma_mm = COARSENING * np.sqrt(np.maximum(spacing**2 - source.spacing**2, 0))
    index = apply(source.inverse @ target.matrix, np.arange(max(target.size))[:, None].repeat(3, 1))
    along = [(old, index[:new, axis]) for axis, (old, new) in enumerate(zip(source.size, target.size, strict=True))]
    coarse = source.spacing > COARSE * spacing
    between = [
        (cubic_matrix if wide else interpolation_matrix)(old, places)
        for (old, places), wide in zip(along, coarse, strict=True)
    ]
    smoothed = [
        matrix @ smoothing_matrix(n, sigma)
        for matrix, n, sigma in zip(between, source.size, sigma_mm / source.spacing, strict=True)
    ]
    values = along_axes(data, smoothed)
    if coarse.any():
        values = values.clamp(data.min(), data.max())  # it overshoots at edges
    if known.all():
        return values, torch.ones_like(values) > 0.5, target
    there = along_axes(known.to(values.dtype), [interpolation_matrix(*one) for one in along]) > 0.5
    return values, there if there.any() else _nearest(mask, grid, target), target


def _nearest(mask: torch.Tensor, grid: Grid, target: Grid) -> torch.Tensor:
    """bool (k, j, i) of another lattice: the voxels nearest to those of a mask that lies between them."""
    places = apply(target.inverse @ grid.matrix, torch.nonzero(mask).flip(1).cpu().numpy())
    i, j, k = np.clip(np.round(places).astype(int), 0, np.array(target.size) - 1).T
    there = torch.zeros(target.shape, dtype=torch.bool, device=mask.device)
    there[k, j, i] = True
    return there


def interpolated(values: torch.Tensor, grid: Grid, target: Grid) -> torch.Tensor:
    """Values (k, j, i) of a lattice at the voxels of another one along the same axes; the ends are repeated."""
    index = apply(grid.inverse @ target.matrix, np.arange(max(target.size))[:, None].repeat(3, 1))
    sizes = enumerate(zip(grid.size, target.size, strict=True))
    return along_axes(values, [interpolation_matrix(old, index[:new, axis]) for axis, (old, new) in sizes])


def _binned(data: torch.Tensor, mask: torch.Tensor, grid: Grid, factors: np.ndarray) -> Arrays:
    """Means of blocks of whole voxels along i, j, k; what is left over at the far end is dropped."""
    factors = np.where(np.array(grid.size) // factors >= 2, factors, 1)
    if (factors == 1).all():
        return data, mask, grid
    kernel = [int(n) for n in factors[::-1]]
    means = F.avg_pool3d(data[None, None], kernel)[0, 0]
    matrix = grid.matrix.copy()
    matrix[:3, 3] = apply(grid.matrix, (factors - 1) / 2)
    matrix[:3, :3] = grid.matrix[:3, :3] * factors
    nk, nj, ni = means.shape
    return means, F.avg_pool3d(mask[None, None].to(data.dtype), kernel)[0, 0] > 0.5, Grid((ni, nj, nk), matrix)
