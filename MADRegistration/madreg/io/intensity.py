"""Normalised intensities, comparable between modalities."""

from __future__ import annotations

import numpy as np

from .padding import thinned

CLAMP = 1.2
"""Highest normalised intensity: metal, vessels and coil hot spots end here."""


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
