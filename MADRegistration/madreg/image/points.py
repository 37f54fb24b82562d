"""Points of a volume, and where a transform takes them."""

from __future__ import annotations

import numpy as np
import torch

from .volume import Volume

PLASTIC = 1.2207440846057596
"""The root of x^4 = x + 1."""
MOST_AT_ONCE = 1_000_000  # points, for the memory they take


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
    """World points (N, 3) float32, evenly drawn from the data of the fixed volume, off the lattice.

    At most ``count`` of them.  Where there are no more voxels than that, every voxel has one, at random within it:
    samples that coincide with lattice points make a measure jump whenever the two lattices line up (Pluim et al. 2000,
    "Interpolation artefacts in mutual information-based image registration").

    Args:
        where: bool (k, j, i) voxels to draw from; by default the volume's foreground.
    """
    there = (fixed.foreground if where is None else where).cpu()
    rng = np.random.default_rng(seed)
    if int(there.sum()) > count:
        index = _evenly_drawn(there, count, rng)
    else:
        index = torch.nonzero(there).flip(1).numpy()
        index = index + rng.uniform(-0.5, 0.5, index.shape)
    index = np.clip(index, 0, np.array(fixed.grid.size) - 1)
    points = index @ fixed.grid.matrix[:3, :3].T + fixed.grid.matrix[:3, 3]
    return torch.as_tensor(points, dtype=torch.float32, device=fixed.device)


def _evenly_drawn(there: torch.Tensor, count: int, rng: np.random.Generator) -> np.ndarray:
    """Indices (count, 3), i j k order, between the voxels (k, j, i) that are True.

    An additive recurrence, which fills a box more evenly than chance does: another draw of as many points moves the
    minimum of a measure half as far.  Source of the steps: Roberts 2018, "The unreasonable effectiveness of quasirandom
    sequences".
    """
    corners = bounding_box(there)
    low, size = corners.min(0).astype(int), np.ptp(corners, axis=0).astype(int) + 1
    steps = PLASTIC ** -np.arange(1.0, 4.0)
    at_once = min(int(1.05 * count * size.prod() / int(there.sum())) + 100, MOST_AT_ONCE)
    begin, found, inside = rng.random(3), [np.empty((0, 3))], there.numpy()
    while sum(map(len, found)) < count:
        share = (begin + np.arange(at_once)[:, None] * steps) % 1
        i, j, k = (np.minimum((share * size).astype(int), size - 1) + low).T
        found.append((share * size + low - 0.5)[inside[k, j, i]])
        begin = begin + at_once * steps
    return np.concatenate(found)[:count]


def bounding_box(where: torch.Tensor) -> np.ndarray:
    """Indices (8, 3), i j k order, of the corners of the box about the voxels (k, j, i) that are True."""
    ends = []
    for axis, others in ((2, (0, 1)), (1, (0, 2)), (0, (1, 2))):
        used = torch.nonzero(where.sum(others) > 0)[:, 0]
        ends.append((int(used[0]), int(used[-1])) if len(used) else (0, where.shape[axis] - 1))
    return np.array(np.meshgrid(*ends, indexing="ij"), float).reshape(3, -1).T
