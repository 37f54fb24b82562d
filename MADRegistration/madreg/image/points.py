"""Points of a volume, and where a transform takes them."""

from __future__ import annotations

import numpy as np
import torch

from .volume import Volume


def lattice_points(k: torch.Tensor, j: torch.Tensor, i: torch.Tensor) -> torch.Tensor:
    """Positions (k, j, i, 3), x y z order, of a lattice that has these coordinates along its axes."""
    z, y, x = torch.meshgrid(k, j, i, indexing="ij")
    return torch.stack([x, y, z], -1)


def map_points(matrices: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Fixed points (N, 3) under (B, 4, 4) matrices: float32 (B, N, 3), differentiable in the matrices."""
    # precision first, device second: MPS has no float64
    matrices = matrices.to(points.dtype).to(points.device)
    return points @ matrices[:, :3, :3].transpose(1, 2) + matrices[:, None, :3, 3]


def sample_points(fixed: Volume, count: int, seed: int = 0, where: torch.Tensor | None = None) -> torch.Tensor:
    """World points (N, 3) float32 spread over the data of the fixed volume, off the lattice.

    At most ``count`` voxels are drawn, one by chance of every so many in a row, which covers the scan more evenly than
    drawing them all alike.  Each point is jittered within its voxel, since samples that coincide with lattice points
    make a measure jump whenever the two lattices line up (Pluim et al. 2000, "Interpolation artefacts in mutual
    information-based image registration").

    Args:
        where: bool (k, j, i) voxels to draw from; by default the volume's foreground.
    """
    candidates = torch.nonzero((fixed.foreground if where is None else where).cpu().flatten())[:, 0].numpy()
    rng = np.random.default_rng(seed)
    if len(candidates) > count:
        candidates = candidates[((np.arange(count) + rng.random(count)) * (len(candidates) / count)).astype(int)]
    ni, nj, _ = fixed.grid.size
    index = np.stack([candidates % ni, candidates // ni % nj, candidates // (ni * nj)], -1).astype(float)
    index += rng.uniform(-0.5, 0.5, index.shape)
    index = np.clip(index, 0, np.array(fixed.grid.size) - 1)
    points = index @ fixed.grid.matrix[:3, :3].T + fixed.grid.matrix[:3, 3]
    return torch.as_tensor(points, dtype=torch.float32, device=fixed.device)


def bounding_box(where: torch.Tensor) -> np.ndarray:
    """Indices (8, 3), i j k order, of the corners of the box about the voxels (k, j, i) that are True."""
    ends = []
    for axis, others in ((2, (0, 1)), (1, (0, 2)), (0, (1, 2))):
        used = torch.nonzero(where.sum(others) > 0)[:, 0]
        ends.append((int(used[0]), int(used[-1])) if len(used) else (0, where.shape[axis] - 1))
    return np.array(np.meshgrid(*ends, indexing="ij"), float).reshape(3, -1).T
