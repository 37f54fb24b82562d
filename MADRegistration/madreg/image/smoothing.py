"""Smoothing and interpolation of voxel arrays, by a matrix along each axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

COARSENING = 0.42
"""Deviation of the Gaussian to smooth with before sampling more coarsely, as a multiple of sqrt(new^2 - old^2) of the
spacings: its half-maximum width makes up the difference between the two sampling kernels."""


ROWS = 96  # of a matrix that are multiplied at a time


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


def cubic_matrix(count: int, index: np.ndarray) -> np.ndarray:
    """(n, count) float64: cubic convolution of ``count`` samples at ``index`` (n,); the ends are repeated.

    Source: Keys 1981, "Cubic convolution interpolation for digital image processing", with a = -1/2.
    """
    index = np.clip(index, 0, count - 1)
    first = np.floor(index).astype(int)
    t = index - first
    weights = [-(t**3) + 2 * t**2 - t, 3 * t**3 - 5 * t**2 + 2, -3 * t**3 + 4 * t**2 + t, t**3 - t**2]
    matrix = np.zeros((len(index), count))
    for offset, weight in enumerate(weights, -1):
        np.add.at(matrix, (np.arange(len(index)), np.clip(first + offset, 0, count - 1)), weight / 2)
    return matrix


def along_axes(array: torch.Tensor, matrices: Sequence[np.ndarray]) -> torch.Tensor:
    """Voxels (..., k, j, i) multiplied by a matrix (new, old) along each of i, j, k.

    Products of matrices on purpose: on a processor they are several times faster than convolutions of one channel.
    """
    i, j, k = (torch.as_tensor(matrix, dtype=array.dtype, device=array.device) for matrix in matrices)
    array = _joined([array[..., begin:end] @ rows.T for rows, begin, end in _bands(i)], -1)
    array = _joined([rows @ array[..., begin:end, :] for rows, begin, end in _bands(j)], -2)
    flat = array.flatten(-2)
    return _joined([rows @ flat[..., begin:end, :] for rows, begin, end in _bands(k)], -2).unflatten(
        -1, array.shape[-2:]
    )


def _joined(parts: list[torch.Tensor], axis: int) -> torch.Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, axis)


def _bands(matrix: torch.Tensor) -> list[tuple[torch.Tensor, int, int]]:
    """Some rows of a matrix at a time, without the columns (from, to) in which all of these are 0.

    The matrices above are banded: along a body of 700 slices nearly everything is 0.
    """
    if len(matrix) <= ROWS:
        return [(matrix, 0, matrix.shape[1])]
    parts = []
    for rows in matrix.split(ROWS):
        used = torch.nonzero(rows.any(0))[:, 0]
        begin, end = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
        parts.append((rows[:, begin:end], begin, end))
    return parts


def smooth(array: torch.Tensor, sigma: Sequence[float] | np.ndarray) -> torch.Tensor:
    """Separable Gaussian of voxels (..., k, j, i); ``sigma`` in voxels along i, j, k (0 leaves an axis alone)."""
    return along_axes(array, [smoothing_matrix(n, s) for n, s in zip(array.shape[:-4:-1], sigma, strict=True)])
