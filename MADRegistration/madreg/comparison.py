"""Pictures for judging an alignment by eye: two images mixed into one, on the grid of the fixed one."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from .errors import InputError
from .geometry import Grid
from .reading import intensity_window

SQUARE_MM = 25.0
"""Side of a square of the checkerboard."""

EDGE_MM = 1.5
"""Width (sigma) of the smoothing before edges are looked for."""


def compare(fixed: sitk.Image, moving: sitk.Image, kind: str) -> np.ndarray:
    """One uint8 volume (k, j, i) on the fixed grid that shows both images where they lie in the world.

    Args:
        kind: ``checkerboard`` (cubes of :data:`SQUARE_MM` from each in turn) or ``edges`` (edges of the moving image,
            255, on the fixed one, at most 200).

    Raises:
        InputError: for another kind.
    """
    resampled = sitk.Resample(sitk.Cast(moving, sitk.sitkFloat32), fixed, sitk.Transform(3, sitk.sitkIdentity),
                              sitk.sitkLinear, _darkest(moving))
    below, above = _shades(sitk.GetArrayFromImage(fixed)), _shades(sitk.GetArrayFromImage(resampled))
    if kind == "checkerboard":
        return np.where(_squares(Grid.of_image(fixed)), above, below)
    if kind == "edges":
        image = Grid.of_image(fixed).as_image(above.astype(np.float32))
        edges = sitk.CannyEdgeDetection(image, lowerThreshold=4.0, upperThreshold=12.0, variance=[EDGE_MM**2] * 3)
        return np.where(sitk.GetArrayViewFromImage(edges) > 0, 255, below * 0.78).astype(np.uint8)
    raise InputError(f'There is no comparison "{kind}": choose checkerboard or edges.')


def _darkest(image: sitk.Image) -> float:
    array = sitk.GetArrayViewFromImage(image)
    return float(array[np.isfinite(array)].min())


def _shades(array: np.ndarray) -> np.ndarray:
    """Intensities as uint8, background 0 and bright tissue about 220."""
    finite = np.isfinite(array)
    low, high = intensity_window(array[finite].astype(np.float32))
    scaled = np.clip((np.where(finite, array, low) - low) / max(high - low, 1e-6), 0, 1.16)
    return (220 * scaled).astype(np.uint8)


def _squares(grid: Grid) -> np.ndarray:
    """Bool (k, j, i): which cubes are taken from the moving image."""
    parity = sum((np.arange(n) * spacing // SQUARE_MM).astype(int).reshape([-1 if a == 2 - d else 1 for a in range(3)])
                 for d, (n, spacing) in enumerate(zip(grid.size, grid.spacing, strict=True)))
    return parity % 2 == 1
