"""A round field of view: the constant in the corners of the slices of a cone-beam CT, or of a CT within a body.

Where tissue ends at the circle, the constant makes a false edge all around, stronger than any anatomy.
"""

from __future__ import annotations

import numpy as np

from .padding import ACROSS, DISTINCT, EMPTY, LEAST_SHARE, filling, grown_along

WIDEST, NARROWEST = 0.75, 0.47  # radius, as a share of the narrower side of a slice; a circle of 0.5 touches its ends
CENTERED = 0.03  # of that side: how far the middle of the circle may lie from the middle of the slice
FEWEST = 10  # pixels of the circle in each quarter of a slice
OFF = 1.0  # pixels, from the circle to a pixel beside it
ON_CIRCLE = 0.98  # of these pixels
RING = 3.0  # pixels within the circle that are compared with the filling
CUT_OFF = 0.4  # of them that differ from it, in all slices; of a ball that touches the ends of the image 0.33 do


def outside_circle(array: np.ndarray, border: np.ndarray) -> np.ndarray | None:
    """Where one constant fills all slices outside the same circle, which touches their ends; and one pixel within it.

    Where mostly air lies beside it, the constant passes for air and stays data: it makes no false edges.

    Args:
        array: (k, j, i) intensities.
        border: as for :func:`madreg.io.padding.threshold`.

    Returns:
        bool (k, j, i); None if there is no such circle.
    """
    constant = filling(array, border)
    if constant is None:
        return None
    for axis in range(3):
        slices = np.moveaxis(array, axis, 0)
        slices = slices[:: max(1, len(slices) // ACROSS)]
        distance = _from_circle((slices == constant).all(0))
        if distance is not None and _ends_in_tissue(slices, distance, constant):
            return np.broadcast_to(np.expand_dims(distance > -OFF, axis), array.shape)
    return None


def _from_circle(filled: np.ndarray) -> np.ndarray | None:
    """Distance (h, w) of each pixel from the circle outside which pixels (h, w) are filled; None if there is none."""
    if not LEAST_SHARE < filled.mean() < 1 - LEAST_SHARE:
        return None
    edge = (grown_along(filled, 0) | grown_along(filled, 1)) & ~filled
    points = np.argwhere(edge).astype(float)
    middle, narrower = (np.array(filled.shape) - 1) / 2, min(filled.shape)
    quarters = np.bincount((points > middle) @ [1, 2], minlength=4)
    if quarters.min() < FEWEST:
        return None
    # the circle through the points (Kasa 1976): x^2 + y^2 = 2 x cx + 2 y cy + c
    from_middle = points - middle
    terms = np.column_stack([2 * from_middle, np.ones(len(points))])
    *center, rest = np.linalg.lstsq(terms, (from_middle**2).sum(1), rcond=None)[0]
    radius = np.sqrt(rest + np.square(center).sum())
    away = np.hypot(*(from_middle - center).T) - radius
    if (
        np.hypot(*center) > CENTERED * narrower
        or not NARROWEST * narrower <= radius <= WIDEST * narrower
        or (np.abs(away) < OFF).mean() < ON_CIRCLE
    ):
        return None
    y, x = (np.arange(n) - m - c for n, m, c in zip(filled.shape, middle, center, strict=True))
    distance = np.hypot(y[:, None], x) - radius
    outside = distance > OFF
    return distance if filled[outside].mean() >= EMPTY else None


def _ends_in_tissue(slices: np.ndarray, distance: np.ndarray, constant: float) -> bool:
    """Whether what lies within the circle (h, w) of slices (n, h, w) differs from the filling."""
    within = slices[:, distance < -OFF]
    low, high = np.nanpercentile(within[:: max(1, len(within) // ACROSS)], [5, 95])
    ring = slices[:, (distance < -OFF) & (distance > -OFF - RING)]
    return bool((np.abs(ring - constant) > DISTINCT * (high - low)).mean() > CUT_OFF)
