"""Slicer's crosshair at a place."""

from __future__ import annotations

import numpy as np
import slicer


def show(point: np.ndarray) -> None:
    """Mark a point (RAS mm, world) in all views."""
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    if node is not None:
        node.SetCrosshairMode(slicer.vtkMRMLCrosshairNode.ShowBasic)
        node.SetCrosshairRAS(*map(float, point))
