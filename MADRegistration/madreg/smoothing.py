"""Gaussian smoothing and gradients of voxel arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from .geometry import Grid


def smooth(array: torch.Tensor, sigma: Sequence[float] | np.ndarray) -> torch.Tensor:
    """Separable Gaussian of a voxel array (k, j, i); ``sigma`` in voxels along i, j, k (0 leaves an axis alone)."""
    out = array[None, None]
    for axis, width in zip((4, 3, 2), sigma, strict=True):
        if width < 0.1:
            continue
        reach = min(int(np.ceil(3 * width)), out.shape[axis] - 1)
        if reach < 1:
            continue
        x = torch.arange(-reach, reach + 1, dtype=out.dtype, device=out.device)
        kernel = torch.exp(-0.5 * (x / width) ** 2)
        kernel = (kernel / kernel.sum()).reshape([-1 if a == axis else 1 for a in range(5)])
        pad = [0] * 6
        pad[2 * (4 - axis)] = pad[2 * (4 - axis) + 1] = reach
        out = F.conv3d(F.pad(out, pad, mode="replicate"), kernel)
    return out[0, 0]


def world_gradient(array: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Central differences of a voxel array (k, j, i) along x, y, z: (3, k, j, i), per mm, in LPS."""
    by_index = torch.stack([torch.gradient(array, dim=axis)[0] if array.shape[axis] > 1 else torch.zeros_like(array)
                            for axis in (2, 1, 0)])
    # chain rule: d/dx = (d index / d x)^T d/d index
    to_index = torch.as_tensor(grid.inverse[:3, :3], dtype=array.dtype, device=array.device)
    return torch.einsum("ax,akji->xkji", to_index, by_index)
