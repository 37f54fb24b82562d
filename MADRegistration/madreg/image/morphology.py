"""Highest and lowest values around every voxel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F


def dilate(array: torch.Tensor, reach: Sequence[int]) -> torch.Tensor:
    """Highest value (k, j, i) in a box about every voxel, as far as the box lies in the array.

    Window maxima double along each axis, which on a processor is ten to a hundred times faster than max_pool3d.

    Args:
        array: (k, j, i), floating point or bool, which takes a quarter of the memory and of the time.
        reach: voxels to either side along k, j, i.
    """
    for axis, half in enumerate(reach):
        padding = [0, 0] * (array.ndim - 1 - axis) + [half, half]
        array = F.pad(array, padding, value=False if array.dtype == torch.bool else -torch.inf)
        width = 1
        while width < 2 * half + 1:
            step = min(width, 2 * half + 1 - width)
            rest = array.shape[axis] - step
            array = torch.maximum(array.narrow(axis, 0, rest), array.narrow(axis, step, rest))
            width += step
    return array


def erode(array: torch.Tensor, reach: Sequence[int]) -> torch.Tensor:
    """Lowest value (k, j, i) in a box about every voxel; arguments as for :func:`dilate`."""
    return ~dilate(~array, reach) if array.dtype == torch.bool else -dilate(-array, reach)
