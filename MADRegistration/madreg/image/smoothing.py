"""Gaussian smoothing and gradients of voxel arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

COARSENING = 0.42
"""Deviation of the Gaussian to smooth with before sampling more coarsely, as a multiple of sqrt(new^2 - old^2) of the
spacings: its half-maximum width makes up the difference between the two sampling kernels."""


def smoothing_matrix(count: int, sigma: float) -> np.ndarray:
    """(count, count) float64: a Gaussian of ``sigma`` samples along ``count`` samples, whose ends are repeated."""
    reach = min(int(np.ceil(3 * sigma)), count - 1)
    if sigma < 0.1 or reach < 1:
        return np.eye(count)
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    rows = np.arange(count)[:, None]
    matrix = np.zeros((count, count))
    np.add.at(matrix, (rows, np.clip(rows + offsets, 0, count - 1)), kernel / kernel.sum())
    return matrix


def interpolation_matrix(count: int, index: np.ndarray) -> np.ndarray:
    """(n, count) float64: linear interpolation of ``count`` samples at ``index`` (n,); the ends are repeated."""
    index = np.clip(index, 0, count - 1)
    return np.clip(1 - np.abs(index[:, None] - np.arange(count)), 0, None)


def along_axes(array: torch.Tensor, matrices: Sequence[np.ndarray]) -> torch.Tensor:
    """Voxels (..., k, j, i) multiplied by a matrix (new, old) along each of i, j, k.

    Dense products on purpose: on a processor they are several times faster than convolutions of one channel.
    """
    i, j, k = (torch.as_tensor(matrix, dtype=array.dtype, device=array.device) for matrix in matrices)
    out = j @ (array @ i.T)
    return (k @ out.flatten(-2)).unflatten(-1, out.shape[-2:])


def smooth(array: torch.Tensor, sigma: Sequence[float] | np.ndarray) -> torch.Tensor:
    """Separable Gaussian of voxels (..., k, j, i); ``sigma`` in voxels along i, j, k (0 leaves an axis alone)."""
    return along_axes(array, [smoothing_matrix(n, s) for n, s in zip(array.shape[:-4:-1], sigma, strict=True)])
