"""Trilinear samples of voxel arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from .geometry import Grid

FEW = 4096  # points that are not worth dividing


def interleaved(channels: Sequence[torch.Tensor]) -> torch.Tensor:
    """(C, k, j, i) of voxel arrays (k, j, i), the values of each voxel side by side in memory.

    Samples at scattered points so take a third less time.
    """
    return torch.stack(list(channels), -1).permute(3, 0, 1, 2)


def sample_array(
    array: torch.Tensor, inverse: np.ndarray | torch.Tensor, points: torch.Tensor, fill: str = "border"
) -> torch.Tensor:
    """Trilinear samples of a voxel array at world points, differentiable in the points.

    Args:
        array: (C, k, j, i).
        inverse: 4x4 matrix, LPS mm to continuous index (i, j, k).
        points: (..., 3), LPS mm.
        fill: ``border`` repeats the edge outside the lattice, ``zeros`` gives 0 there.

    Returns:
        (C, ...) samples.
    """
    inverse = torch.as_tensor(inverse, dtype=points.dtype, device=points.device)
    index = points @ inverse[:3, :3].T + inverse[:3, 3]
    size = torch.tensor(array.shape[:0:-1], dtype=points.dtype, device=points.device)
    normalised = (index * (2.0 / (size - 1).clamp(min=1)) - 1).to(array.dtype)
    return _samples(array, normalised.reshape(-1, 3), fill).reshape(array.shape[0], *points.shape[:-1])


def sample_moved(array: torch.Tensor, grid: Grid, matrices: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Trilinear samples of a voxel array at points under linear transforms, 0 outside; differentiable in the matrices.

    The transforms are composed with the lattice, so that every point is mapped once.

    Args:
        array: (C, k, j, i) on ``grid``.
        matrices: (B, 4, 4), fixed LPS to moving LPS, mm.
        points: (N, 3), fixed LPS, mm.

    Returns:
        (C, B, N) samples.
    """
    # composed in double precision, on the CPU as MPS has none
    normalising = torch.from_numpy(_normalising(grid))
    normalising = normalising.to(matrices.device, torch.promote_types(matrices.dtype, torch.float32))
    composed = (normalising @ matrices).to(points.dtype).to(points.device)
    linear, offset = composed[:, :3, :3].transpose(1, 2), composed[:, None, :3, 3]
    normalised = torch.baddbmm(offset, points.expand(len(linear), -1, -1), linear)
    return _samples(array, normalised.reshape(-1, 3), "zeros").unflatten(1, normalised.shape[:2])


def sample_lattice(
    array: torch.Tensor, grid: Grid, pose: np.ndarray, lattice: Grid, fill: str = "border"
) -> torch.Tensor:
    """Trilinear samples of a voxel array on a lattice under a linear transform.

    Args:
        array: (C, k, j, i) on ``grid``.
        pose: 4x4, LPS mm of the lattice to LPS mm of ``grid``.
        fill: see :func:`sample_array`.

    Returns:
        (C, k', j', i') samples.
    """
    composed = torch.from_numpy(_normalising(grid) @ pose @ lattice.matrix).float().to(array.device)
    along_i, along_j, along_k, origin = composed[:3].T
    i, j, k = (torch.arange(n, dtype=torch.float32, device=array.device)[:, None] for n in lattice.size)
    # a sum of multiples along each axis takes a fifth of the time of a product of every point with the matrix
    normalised = (k * along_k + origin)[:, None, None] + ((j * along_j)[:, None] + i * along_i)
    return _samples(array, normalised.reshape(-1, 3).to(array.dtype), fill).reshape(len(array), *lattice.shape)


def _normalising(grid: Grid) -> np.ndarray:
    """4x4, LPS mm to positions from -1 to 1 along each axis of a lattice, as torch counts."""
    scale = 2.0 / np.maximum(np.array(grid.size) - 1.0, 1.0)
    normalising = np.diag([*scale, 1.0]) @ grid.inverse
    normalising[:3, 3] -= 1.0
    return normalising


def _samples(array: torch.Tensor, normalised: torch.Tensor, fill: str) -> torch.Tensor:
    """Samples (C, n) at positions (n, 3) from -1 to 1 along i, j, k."""
    # on a processor torch divides nothing but a batch among its threads
    count = len(normalised)
    parts = torch.get_num_threads() if array.device.type == "cpu" and count >= FEW else 1
    normalised = F.pad(normalised, (0, 0, 0, -count % parts)).view(parts, 1, 1, -1, 3)
    samples = F.grid_sample(
        array.expand(parts, *array.shape), normalised, mode="bilinear", padding_mode=fill, align_corners=True
    )
    return samples.transpose(0, 1).flatten(1)[:, :count]
