"""How well structure tensors agree under a linear transform: what the search correlates, as a measure to descend on."""

from __future__ import annotations

import numpy as np
import torch

from ..image.geometry import Grid, apply
from ..image.sampling import interleaved, sample_array, sample_moved
from ..image.tensors import rotate_tensors, structure_tensors
from ..image.volume import Volume
from .correlation import LEAST_SHOWN


class TensorAgreement:
    """Minus the normalised correlation of structure tensors at points of the fixed image's edges.

    It equals the score of :class:`~madreg.pose.correlation.Correlation` but for the sampling: the correlation over what
    both fields of view have in common, times the square root of the share of edges, of either image, that lies there.

    Args:
        spacing: mm, of the tensors.
        samples: how many points.
        seed: random seed of the points.
    """

    name = "tensors"

    def __init__(self, fixed: Volume, moving: Volume, spacing: float, samples: int, seed: int = 0) -> None:
        features, grid = structure_tensors(fixed, spacing)
        self.points, density = _points_on_edges(features, grid, samples, seed)
        inverse = torch.as_tensor(grid.inverse, dtype=torch.float32, device=fixed.device)
        self.fixed = sample_array(features[:-1], inverse, self.points, "zeros").T
        self.weight = 1 / density  # so that sums over the points are integrals over the image
        self.energy = self.fixed.square().sum(-1) * self.weight
        tensors, self.grid = structure_tensors(moving, spacing)
        self.moving = interleaved(tensors.unbind())
        ratio = abs(np.linalg.det(self.grid.matrix[:3, :3]) / np.linalg.det(grid.matrix[:3, :3]))
        self.moving_energy = float(tensors[:-1].square().sum()) * ratio

    def __call__(self, matrices: torch.Tensor) -> torch.Tensor:
        """(B,) values at matrices (B, 4, 4), fixed LPS to moving LPS; -1 is full agreement."""
        sampled = sample_moved(self.moving, self.grid, matrices, self.points)
        tensors, inside = sampled[:-1], sampled[-1]
        # sum over the points of R Q R^T . F: the products of all coefficients are summed before they are rotated
        products = torch.einsum("pm,nbp->bmn", self.fixed * self.weight[:, None], tensors)
        agreement = (products * rotate_tensors(matrices[:, :3, :3].to(products).transpose(1, 2))).sum((1, 2))
        fixed_energy = inside @ self.energy
        moving_energy = tensors.square().sum(0) @ self.weight
        total = self.energy.sum()
        common = torch.maximum(fixed_energy / total, moving_energy / self.moving_energy).clamp(0, 1)
        least = LEAST_SHOWN * torch.clamp(total, max=self.moving_energy)
        shown = torch.maximum(fixed_energy, least) * torch.maximum(moving_energy, least)
        return -agreement / shown.sqrt() * common.sqrt()


def _points_on_edges(features: torch.Tensor, grid: Grid, samples: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (n, 3) LPS mm near voxels that are drawn with a chance that grows with their edge, and how many of them
    there are a voxel (n,)."""
    strength = features[:-1].square().sum(0).sqrt().flatten()
    chance = (strength / strength.sum().clamp(min=1e-9)).cpu()
    generator = torch.Generator().manual_seed(seed)
    # torch's own draw ends at 2^24 voxels
    drawn = torch.rand(samples, generator=generator, dtype=torch.float64).sort().values
    index = torch.searchsorted(chance.double().cumsum(0), drawn).clamp(max=len(chance) - 1)
    _, nj, ni = features.shape[1:]
    voxels = torch.stack([index % ni, index // ni % nj, index // (ni * nj)], -1).double()
    voxels += torch.rand(samples, 3, generator=generator, dtype=torch.float64) - 0.5
    points = torch.as_tensor(apply(grid.matrix, voxels.numpy()), dtype=torch.float32)
    density = samples * chance[index].clamp(min=1e-9)
    return points.to(features.device), density.to(features.device)
