"""Slices that are uneven or shifted sideways, resampled onto the lattice of their stack."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...image.geometry import Grid
from ..memory import check_fits
from .stack import STEP_TOLERANCE, Stack


def rectified(stack: Stack, pixels: Callable[[int], np.ndarray], shape: tuple[int, int]) -> tuple[np.ndarray, Grid]:
    """Voxels on a lattice with orthogonal axes, interpolated linearly.

    Args:
        pixels: the slice of a number, (rows, columns).
        shape: rows, columns.

    Returns:
        float32 (k, j, i), NaN where there is no data; and the lattice.
    """
    low = np.floor(stack.sideways.min(0) / stack.spacing[:2] + 1e-6) if stack.shifted else np.zeros(2)
    high = np.ceil(stack.sideways.max(0) / stack.spacing[:2] - 1e-6) if stack.shifted else np.zeros(2)
    columns, rows = (np.array(shape[::-1]) + high - low).astype(int)
    check_fits(stack.steps * rows * columns, 4)
    out = np.full((stack.steps, rows, columns), np.nan, np.float32)
    offsets = stack.sideways / stack.spacing[:2] - low if stack.shifted else np.zeros((len(stack.along), 2))
    near: dict[int, np.ndarray] = {}

    def placed(number: int) -> np.ndarray:
        if number not in near:
            for old in [one for one in near if one < number - 1]:
                del near[old]
            near[number] = _placed(pixels(number), offsets[number], (rows, columns))
        return near[number]

    for k in range(stack.steps):
        where = k * stack.spacing[2]
        below = int(np.clip(np.searchsorted(stack.along, where) - 1, 0, len(stack.along) - 2))
        part = (where - stack.along[below]) / (stack.along[below + 1] - stack.along[below])
        close = STEP_TOLERANCE * stack.spacing[2] / (stack.along[below + 1] - stack.along[below])
        if part <= close:
            out[k] = placed(below)
        elif part >= 1 - close:
            out[k] = placed(below + 1)
        elif not stack.gaps[below]:
            out[k] = (1 - part) * placed(below) + part * placed(below + 1)
    matrix = np.eye(4)
    matrix[:3, :3] = stack.axes * stack.spacing
    matrix[:3, 3] = stack.origin + stack.axes[:, :2] @ (low * stack.spacing[:2])
    return out, Grid((int(columns), int(rows), stack.steps), matrix)


def _placed(pixels: np.ndarray, offset: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A slice in a larger one, shifted by ``offset`` (columns, rows) pixels; NaN around it."""
    whole = np.floor(offset + 1e-6).astype(int)
    part = offset - whole
    out = np.full(shape, np.nan, np.float32)
    rows, columns = pixels.shape
    out[whole[1] : whole[1] + rows, whole[0] : whole[0] + columns] = pixels
    for axis, share in ((1, part[0]), (0, part[1])):
        if share > 1e-3:
            before = np.full_like(out, np.nan)
            here, there = [slice(None)] * 2, [slice(None)] * 2
            here[axis], there[axis] = slice(1, None), slice(None, -1)
            before[tuple(here)] = out[tuple(there)]
            out = (1 - share) * out + share * before
    return out
