"""A mask that ends at the outline of the body, which is then lost: what lies outside a mask is ignored."""

from __future__ import annotations

import numpy as np

from .padding import grown_along

AIR = 0.1  # normalised intensity, BACKGROUND of :mod:`madreg.image.foreground`, which loads torch
ACROSS = 160  # voxels along each axis that are looked at, about
BAND = 8.0  # mm on either side of the end of a mask
# Share of the band that is air.  Masks of the body in seven images have 0.79 to 0.99 outside and up to 0.16 inside;
# with 10 mm of air 0.51 and more inside; of the body less 6 mm, a brain in a head, or a skull, up to 0.47 outside.
OUTSIDE, INSIDE = 0.7, 0.35


def ends_at_outline(values: np.ndarray, spacing: np.ndarray, chosen: np.ndarray, data: np.ndarray) -> bool:
    """Whether a mask ends where tissue ends and air begins, nearly all around.

    Args:
        values: (k, j, i) normalised intensities.
        spacing: (3,) mm along k, j, i.
        chosen: bool (k, j, i), the mask.
        data: bool (k, j, i), where the image has data.
    """
    outside, inside = air_beside(values, spacing, chosen, data)
    return outside >= OUTSIDE and inside <= INSIDE


def air_beside(values: np.ndarray, spacing: np.ndarray, chosen: np.ndarray, data: np.ndarray) -> tuple[float, float]:
    """The share of air beside the end of a mask, outside and inside of it; arguments as for :func:`ends_at_outline`."""
    step = np.maximum(1, np.array(values.shape) // ACROSS)
    some = tuple(slice(None, None, int(by)) for by in step)
    air, chosen, data = values[some] < AIR, chosen[some], data[some]
    reach = np.maximum(1, np.round(BAND / (spacing * step))).astype(int)
    outside, inside = _grown(chosen, reach) & ~chosen & data, _grown(~chosen, reach) & chosen & data
    return float(air[outside].mean()) if outside.any() else 0.0, float(air[inside].mean()) if inside.any() else 1.0


def _grown(where: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Grown by so many voxels along each axis."""
    for axis, count in enumerate(reach):
        for _ in range(count):
            where = grown_along(where, axis)
    return where
