"""Gradients of voxel arrays, and how strong one must be to be an edge."""

from __future__ import annotations

import torch

from .geometry import Grid
from .morphology import erode
from .smoothing import smooth

FLATTEST = 0.3  # of the mean edge parameter


def world_gradient(array: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Central differences of a voxel array (k, j, i) along x, y, z: (3, k, j, i), per mm, in LPS."""
    by_index = torch.stack(
        [torch.gradient(array, dim=axis)[0] if array.shape[axis] > 1 else torch.zeros_like(array) for axis in (2, 1, 0)]
    )
    # chain rule: d/dx = (d index / d x)^T d/d index
    to_index = torch.as_tensor(grid.inverse[:3, :3], dtype=array.dtype, device=array.device)
    return torch.einsum("ax,akji->xkji", to_index, by_index)


def edge_parameter(gradient: torch.Tensor, mask: torch.Tensor) -> float:
    """Gradient length (per mm) below which an edge counts as noise: the mean length over the data.

    Haber and Modersitzki 2006, eq. 8, with noise factor 1.
    """
    length = gradient.square().sum(0).sqrt()
    return float(((length * mask).sum() / mask.sum()).clamp(min=1e-6))  # indexing by a mask takes ten times as long


def local_edge_parameter(gradient: torch.Tensor, mask: torch.Tensor, sigma: float) -> torch.Tensor:
    """:func:`edge_parameter` of the surroundings of every voxel (k, j, i).

    Under coil shading, edges far from the coil are as valid as those close by, but below the mean over the whole scan.
    Where there is little signal, as in air, noise must not count as edges: it is at least :data:`FLATTEST` of the mean
    over the data.

    Args:
        gradient: (3, k, j, i), per mm.
        mask: (k, j, i), where there is data.
        sigma: voxels, deviation of the Gaussian that weighs the surroundings.
    """
    mask = mask.float()
    length = gradient.square().sum(0).sqrt() * mask
    around, share = smooth(torch.stack([length, mask]), [sigma] * 3)
    least = FLATTEST * edge_parameter(gradient, mask > 0)
    return (around / share.clamp(min=1e-3)).clamp(min=least)


def gradient_mask(mask: torch.Tensor) -> torch.Tensor:
    """float32 (k, j, i): 1 where every neighbour has data, since a difference with what is no data is no edge.

    A mask too thin for that is taken as it is.
    """
    if mask.all():
        return torch.ones(mask.shape, device=mask.device)
    inner = erode(mask > 0, (1, 1, 1))
    return (inner if inner.any() else mask).float()
