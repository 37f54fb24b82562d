"""Pictures for assessing an alignment by eye: two images mixed into one, on the grid of the fixed one."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..image.geometry import Grid
from ..image.transform import Transform
from ..io.reading import intensity_window
from ..io.resampling import resample
from .checkerboard import every_other

EDGE_MM = 1.5
"""Width (sigma) of the smoothing before edges are looked for."""


def compare(fixed: sitk.Image, moving: sitk.Image, kind: str) -> np.ndarray:
    """One uint8 volume (k, j, i) on the fixed grid that shows both images where they lie in the world.

    Args:
        kind: ``checkerboard`` (cubes from each in turn, :mod:`madreg.pictures.checkerboard`) or ``edges`` (edges
            of the moving image, 255, on the fixed one, at most 200).

    Raises:
        InputError: for another kind.
    """
    resampled = resample(sitk.Cast(moving, sitk.sitkFloat32), fixed, Transform.identity())
    below, above = _shades(sitk.GetArrayFromImage(fixed)), _shades(sitk.GetArrayFromImage(resampled))
    if kind == "checkerboard":
        along = [np.arange(n) * mm for n, mm in zip(fixed.GetSize(), fixed.GetSpacing(), strict=True)]
        return np.where(every_other(*reversed(along)), above, below)
    if kind == "edges":
        image = Grid.of_image(fixed).as_image(above.astype(np.float32))
        edges = sitk.CannyEdgeDetection(image, lowerThreshold=4.0, upperThreshold=12.0, variance=[EDGE_MM**2] * 3)
        return np.where(sitk.GetArrayViewFromImage(edges) > 0, 255, below * 0.78).astype(np.uint8)
    raise InputError(f'There is no comparison "{kind}": choose checkerboard or edges.')


def _shades(array: np.ndarray) -> np.ndarray:
    """Intensities as uint8, background 0 and bright tissue about 220."""
    finite = np.isfinite(array)
    low, high = intensity_window(array[finite].astype(np.float32))
    scaled = np.clip((np.where(finite, array, low) - low) / max(high - low, 1e-6), 0, 1.16)
    return (220 * scaled).astype(np.uint8)
