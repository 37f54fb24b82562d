"""Normalised intensities, comparable between modalities."""

from __future__ import annotations

import numpy as np

from .padding import thinned

CLAMP = 1.2
"""Highest normalised intensity: metal, vessels and coil hot spots end here."""

LARGEST = float(np.finfo(np.float32).max)
LEVELS = 4096  # that float32 has to distinguish in the range of an image
SMALLEST_RANGE = 1e-30
ROUNDING = 1e-12  # of the largest value: a range as small as that is what arithmetic leaves of a constant
STRAY = 0.01  # share of the values beyond float32; fewer are damaged


def as_float32(array: np.ndarray) -> np.ndarray:
    """Intensities as float32; their range is mapped to 0 to 1 if float32 does not hold or does not distinguish them.

    Numbers beyond float32 become infinite, which is no data, if they are few or most of them are the same number.

    Args:
        array: (k, j, i) numbers of any type.
    """
    with np.errstate(over="ignore"):
        found = array.astype(np.float32)
    if fits_float32(array.dtype):
        return found
    if array.dtype.kind in "iu":
        return _of_whole_numbers(array, found)
    values, lost = array, ~np.isfinite(found)
    if lost.any():
        beyond = array[lost & np.isfinite(array)]
        values = array[~lost]
        if len(beyond) and not _are_no_data(beyond, len(values)):
            values, lost = np.concatenate([values, beyond]), ~np.isfinite(array)
    if not values.size:
        return found
    low, high = float(values.min()), float(values.max())
    if high - low <= ROUNDING * max(abs(low), abs(high)) or _is_held(low, high):
        return found
    with np.errstate(invalid="ignore", over="ignore"):
        found = ((array / 2 - low / 2) / (high / 2 - low / 2)).astype(np.float32)  # half, as the range may overflow
    found[lost] = np.inf
    return found


def _of_whole_numbers(array: np.ndarray, found: np.ndarray) -> np.ndarray:
    """As :func:`as_float32`; ``found`` are the numbers as float32."""
    low = array.min()
    above = (array - low).view(np.dtype(f"u{array.itemsize}"))  # also where the range is beyond the type
    high = int(above.max())
    if high == 0 or _is_held(float(low), float(int(low) + high)):
        return found
    return (above / high).astype(np.float32)


def fits_float32(kind: np.dtype) -> bool:
    """Whether float32 holds all numbers of a type."""
    return kind == np.float32 or (kind.itemsize <= 2 and np.issubdtype(kind, np.integer))


def _are_no_data(beyond: np.ndarray, others: int) -> bool:
    """Whether numbers beyond float32, beside so many others, are damaged or stand for what was not measured."""
    few = len(beyond) < STRAY * (len(beyond) + others)
    return few or 2 * int(np.unique(beyond, return_counts=True)[1].max()) > len(beyond)


def _is_held(low: float, high: float) -> bool:
    """Whether float32 holds a range of numbers, and distinguishes enough of them."""
    largest = max(abs(low), abs(high))
    finest = float(np.finfo(np.float32).eps) * largest
    return largest <= LARGEST and high - low > max(LEVELS * finest, SMALLEST_RANGE)


def intensity_window(values: np.ndarray) -> tuple[float, float]:
    """Intensities (background, bright) that :func:`normalise` maps to 0 and 1; see there.

    Args:
        values: (n,) finite intensities of the data voxels, not all the same.
    """
    values = thinned(values).astype(np.float64)
    low, top = np.percentile(values, [0.5, 99.9])
    if low == top:  # next to everything is the same: the rest is the image
        low, top = values.min(), values.max()
    foreground = values[values > np.clip(values, low, top).mean()]
    high = np.percentile(foreground, 98) if len(foreground) else top
    dark = values[values < low + 0.15 * (high - low)]
    if len(dark) >= 0.1 * len(values):
        low = np.median(dark)
    return float(low), float(high)


def normalise(array: np.ndarray, mask: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Normalised intensities: 0 is the background, 1 about the brightest tissue.

    A straight line through two points, clamped to [0, :data:`CLAMP`].  Bright is the 98th percentile of the
    foreground (all above the mean), so it depends neither on how much air the field of view holds nor on a few
    voxels of metal.  Background is the median of the dark voxels (the lowest 15 % of the range) when these make up a
    tenth of the image, so that a noisy background is 0 on average and does not pull the centre of mass; otherwise,
    as in a cropped scan without air, the 0.5th percentile.  In a CT of the head air becomes 0, soft tissue about
    0.4 to 0.6 and dense bone 1: nothing is windowed away, and tissue keeps its distance from both.

    Args:
        array: (k, j, i) intensities; values outside the mask may be anything.
        mask: bool (k, j, i), where there is data; at least one voxel, not all of the same value.
        out: float32 (k, j, i) to write to, which may be ``array``; a new one if None.

    Returns:
        float32 (k, j, i), finite everywhere, 0 outside the mask.
    """
    low, high = intensity_window(selected(array, mask))
    with np.errstate(invalid="ignore", over="ignore"):  # outside the mask
        out = np.subtract(array, np.float32(low), out=out)
        out /= np.float32(high - low)
    np.clip(out, 0, CLAMP, out=out)
    if not mask.all():
        out[~mask] = 0
    return out


def selected(array: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The values inside a mask, (n,); not copied if that is all."""
    return array.ravel() if mask.all() else array[mask]
