"""Poses that differ by a translation alone, mm along LPS."""

from __future__ import annotations

import numpy as np

from madreg.image.transform import Transform


def translation_matrix(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    """(4, 4)."""
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return matrix


def translation(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Transform:
    """The same as a transform."""
    return Transform(translation_matrix(x, y, z))
