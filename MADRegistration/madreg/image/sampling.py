"""Trilinear samples of voxel arrays."""

from __future__ import annotations

import torch
import torch.nn.functional as F

FEW = 4096  # points that are not worth dividing


def sample_array(
    array: torch.Tensor, inverse: torch.Tensor, points: torch.Tensor, fill: str = "border"
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
    inverse = inverse.to(points)
    index = points @ inverse[:3, :3].T + inverse[:3, 3]
    size = torch.tensor(array.shape[:0:-1], dtype=points.dtype, device=points.device)
    normalised = (index * (2.0 / (size - 1).clamp(min=1)) - 1).to(array.dtype).reshape(-1, 3)
    # on a processor torch divides nothing but a batch among its threads
    parts = torch.get_num_threads() if array.device.type == "cpu" and len(normalised) >= FEW else 1
    count = len(normalised)
    normalised = F.pad(normalised, (0, 0, 0, -count % parts)).view(parts, 1, 1, -1, 3)
    samples = F.grid_sample(
        array.expand(parts, *array.shape), normalised, mode="bilinear", padding_mode=fill, align_corners=True
    )
    return samples.transpose(0, 1).flatten(1)[:, :count].reshape(array.shape[0], *points.shape[:-1])
