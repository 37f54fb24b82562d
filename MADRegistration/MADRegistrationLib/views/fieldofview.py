"""The field of view of the slice views: on what two volumes have in common."""

from __future__ import annotations

import numpy as np
import slicer

from madreg.image.geometry import FLIP_LPS_RAS, apply

from ..scene.matrices import toArray
from ..scene.volumes import imageOfVolume
from .sliceviews import sliceNodes

MARGIN = 1.1


def commonBox(*nodes: slicer.vtkMRMLScalarVolumeNode) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest corner (3,), RAS mm, world, of what all volumes cover; of the first if that is nothing."""
    lows, highs = zip(*(_box(node) for node in nodes), strict=True)
    low, high = np.max(lows, axis=0), np.min(highs, axis=0)
    return (low, high) if (low < high).all() else (lows[0], highs[0])


def _box(node: slicer.vtkMRMLScalarVolumeNode) -> tuple[np.ndarray, np.ndarray]:
    corners = apply(FLIP_LPS_RAS, imageOfVolume(node).grid.corners)
    return corners.min(axis=0), corners.max(axis=0)


def boxOfMap(node: slicer.vtkMRMLScalarVolumeNode) -> tuple[np.ndarray, np.ndarray] | None:
    """The same of what is above 0 in a small volume, such as an error map; None if nothing is."""
    image = imageOfVolume(node)
    inside = np.argwhere(image.array > 0)[:, ::-1]
    if len(inside) == 0:
        return None
    points = apply(FLIP_LPS_RAS @ image.matrix, inside)
    return points.min(axis=0), points.max(axis=0)


def fit(low: np.ndarray, high: np.ndarray) -> None:
    """Center every slice view on a box (RAS mm, world) and zoom to it."""
    center, half = (low + high) / 2, (high - low) / 2
    for node in sliceNodes():
        axes = np.abs(toArray(node.GetSliceToRAS())[:3, :3])
        width, height, _depth = 2 * MARGIN * half @ axes
        columns, rows = node.GetDimensions()[:2]
        millimetres = max(width / max(columns, 1), height / max(rows, 1))  # of a pixel
        node.SetXYZOrigin(0, 0, 0)
        node.JumpSliceByCentering(*map(float, center))
        node.SetFieldOfView(millimetres * columns, millimetres * rows, node.GetFieldOfView()[2])
