"""What came out of a registration, kept on its transform: it is of two volumes, and of the pose that they had.

So it is found again after the scene was saved and loaded, or another pair was looked at in between, and it no longer
counts when one of the volumes has been moved.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer

from madreg.image.geometry import Grid, apply

from .before import ATTRIBUTE_PREFIX
from .placement import isOf
from .volumes import ijkToRas, parentToWorld

REPORT, POSE = ATTRIBUTE_PREFIX + "Report", ATTRIBUTE_PREFIX + "Pose"
"""Attributes of the transform: JSON of the report, and of :func:`poseOf`."""

KEPT = (
    "verdict",
    "error_before_mm",
    "error_after_mm",
    "worst_mm",
    "overlap",
    "little_overlap",
    "moved_mm",
    "rotation_degrees",
    "volume_scale",
    "seconds",
    "device",
    "notices",
)
"""What is kept of a report: all that the panel shows."""

SAME_MM = 0.05
"""Moved by less, a volume still lies where it was."""


def poseOf(fixed: slicer.vtkMRMLScalarVolumeNode, moving: slicer.vtkMRMLScalarVolumeNode) -> np.ndarray:
    """4x4, index (i, j, k) of the moving volume to RAS mm of the fixed one below its parents.

    Raises:
        InputError: if one of them lies under a non-linear transform.
    """
    return np.linalg.inv(parentToWorld(fixed)) @ parentToWorld(moving) @ ijkToRas(moving)


def distanceMm(first: np.ndarray, second: np.ndarray, moving: slicer.vtkMRMLScalarVolumeNode) -> float:
    """The largest distance in mm of a corner of the moving volume between two of its poses."""
    image = moving.GetImageData()
    size = (1, 1, 1) if image is None else image.GetDimensions()
    corners = Grid(size, np.eye(4)).corners
    return float(np.linalg.norm(apply(first, corners) - apply(second, corners), axis=1).max())


@dataclass(frozen=True)
class Outcome:
    """What is known of the pose of two volumes.

    Attributes:
        transform: that was written.
        report: what :data:`KEPT` names of the report.
        movedMm: how far the moving volume has been moved since, at most over its corners; 0 if it has not.
    """

    transform: slicer.vtkMRMLLinearTransformNode
    report: dict[str, Any]
    movedMm: float

    @property
    def isValid(self) -> bool:
        """Whether it is of the pose that the volumes have now."""
        return self.movedMm == 0


def keep(
    transform: slicer.vtkMRMLLinearTransformNode,
    fixed: slicer.vtkMRMLScalarVolumeNode,
    moving: slicer.vtkMRMLScalarVolumeNode,
    report: dict[str, Any],
) -> None:
    """Write a report on a transform, with the pose that the volumes have now."""
    transform.SetAttribute(REPORT, json.dumps({key: report[key] for key in KEPT if key in report}))
    transform.SetAttribute(POSE, json.dumps(poseOf(fixed, moving).round(6).tolist()))


def find(fixed: slicer.vtkMRMLScalarVolumeNode | None, moving: slicer.vtkMRMLScalarVolumeNode | None) -> Outcome | None:
    """What is known of two volumes; where they have been registered several times, what is still valid or newest.

    Raises:
        InputError: if one of them lies under a non-linear transform.
    """
    if fixed is None or moving is None:
        return None
    found = [
        _read(transform, fixed, moving)
        for transform in slicer.util.getNodesByClass("vtkMRMLLinearTransformNode")
        if isOf(transform, fixed, moving) and transform.GetAttribute(REPORT) and transform.GetAttribute(POSE)
    ]  # both: an observer may look after one was written and before the other
    return min(reversed(found), key=lambda one: one.movedMm, default=None)


def _read(transform: Any, fixed: Any, moving: Any) -> Outcome:
    former = np.array(json.loads(transform.GetAttribute(POSE)))
    moved = distanceMm(former, poseOf(fixed, moving), moving)
    return Outcome(transform, json.loads(transform.GetAttribute(REPORT)), 0.0 if moved < SAME_MM else moved)
