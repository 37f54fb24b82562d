"""The report of a registration or an assessment, stored on its transform, its error map and its table of structures,
with the pose that the two volumes had.

So it is found again after the scene was saved and loaded, or another pair was looked at in between, and it no longer
counts when one of the volumes has been moved.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import slicer

from ..scene.attributes import ATTRIBUTE_PREFIX
from ..scene.ownnodes import isOf
from ..scene.pose import SAME_MM, distanceMm, poseOf
from ..scene.storedvalues import matrixOf, objectOf
from .readablereport import isReadable

REPORT, POSE, TIME = (ATTRIBUTE_PREFIX + name for name in ("Report", "VoxelPose", "Time"))
"""Attributes of the node: JSON of the report and of :func:`poseOf`, and when it was written."""

KEPT = (
    "verdict",
    "error_before_mm",
    "error_after_mm",
    "bound_mm",
    "worst_mm",
    "structures",
    "overlap",
    "little_overlap",
    "moved_mm",
    "rotation_degrees",
    "volume_scale",
    "seconds",
    "device",
    "notices",
    "is_assessment",
)
"""What is kept of a report: all that the panel shows."""


@dataclass(frozen=True)
class StoredReport:
    """What is known of the pose of two volumes.

    Attributes:
        node: that it is kept on.
        report: what :data:`KEPT` names of the report.
        movedMm: how far the moving volume has been moved since, at most over its corners; 0 if it has not.
    """

    node: slicer.vtkMRMLTransformableNode
    report: dict[str, Any]
    movedMm: float

    @property
    def isValid(self) -> bool:
        """Whether it is of the pose that the volumes have now."""
        return self.movedMm == 0


def keep(
    node: slicer.vtkMRMLTransformableNode,
    fixed: slicer.vtkMRMLScalarVolumeNode,
    moving: slicer.vtkMRMLScalarVolumeNode,
    report: dict[str, Any],
) -> None:
    """Write a report on a transform or an error map, with the pose that the volumes have now."""
    node.SetAttribute(TIME, datetime.now(timezone.utc).isoformat())
    node.SetAttribute(REPORT, json.dumps({key: report[key] for key in KEPT if key in report}))
    node.SetAttribute(POSE, json.dumps(poseOf(fixed, moving).round(6).tolist()))


def find(
    fixed: slicer.vtkMRMLScalarVolumeNode | None, moving: slicer.vtkMRMLScalarVolumeNode | None
) -> StoredReport | None:
    """What is known of two volumes and can be shown: what is valid, and of that the newest; else what they have been
    moved least from.

    Raises:
        InputError: if one of them lies under a non-linear transform.
    """
    found = [
        one
        for kind in ("vtkMRMLLinearTransformNode", "vtkMRMLScalarVolumeNode")
        for node in slicer.util.getNodesByClass(kind)
        if (one := read(node, fixed, moving)) is not None and isReadable(one.report)
    ]
    return max(found, key=lambda one: (-one.movedMm, one.node.GetAttribute(TIME) or ""), default=None)


def read(
    node: slicer.vtkMRMLTransformableNode,
    fixed: slicer.vtkMRMLScalarVolumeNode | None,
    moving: slicer.vtkMRMLScalarVolumeNode | None,
) -> StoredReport | None:
    """What is kept on a node, if it is of these two volumes and can be read.

    Raises:
        InputError: if one of them lies under a non-linear transform.
    """
    if fixed is None or moving is None or not isOf(node, fixed, moving):
        return None
    report, pose = objectOf(node.GetAttribute(REPORT)), matrixOf(node.GetAttribute(POSE))
    if pose is None or report is None:  # or one is written, and the other not yet
        return None
    moved = distanceMm(pose, poseOf(fixed, moving), moving)
    return StoredReport(node, report, 0.0 if moved < SAME_MM else moved)
