"""The pose of the moving volume relative to the fixed one."""

from __future__ import annotations

import numpy as np
import slicer

from madreg.image.geometry import Grid, apply

from .transforms import parentToWorld
from .volumes import ijkToRas

SAME_MM = 0.05
"""Moved by less, a volume still lies where it was."""


def poseOf(fixed: slicer.vtkMRMLScalarVolumeNode, moving: slicer.vtkMRMLScalarVolumeNode) -> np.ndarray:
    """4x4, index (i, j, k) of the moving volume to mm along the axes of the fixed one, from its first voxel.

    Raises:
        InputError: if one of them lies under a non-linear transform.
    """
    toWorld = parentToWorld(fixed) @ ijkToRas(fixed)
    toWorld[:3, :3] /= np.linalg.norm(toWorld[:3, :3], axis=0)
    return np.linalg.inv(toWorld) @ parentToWorld(moving) @ ijkToRas(moving)


def distanceMm(first: np.ndarray, second: np.ndarray, moving: slicer.vtkMRMLScalarVolumeNode) -> float:
    """The largest distance in mm of a corner of the moving volume between two of its poses."""
    image = moving.GetImageData()
    size = (1, 1, 1) if image is None else image.GetDimensions()
    corners = Grid(size, np.eye(4)).corners
    return float(np.linalg.norm(apply(first, corners) - apply(second, corners), axis=1).max())
