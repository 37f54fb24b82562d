"""The report of a registration or an assessment, stored on its transform, its error map and its table of structures,
with the pose and the voxels that the two volumes had.

So it is found again after the scene was saved and loaded, or another pair was looked at in between, and it no longer
counts when one of the volumes has been moved or given other voxels.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import slicer

from ..scene.attributes import ATTRIBUTE_PREFIX
from ..scene.fingerprint import knownFingerprintOf
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
    "voxels",
)
"""What is kept of a report: all that the panel shows, and :func:`voxelsOf` when it was computed."""


@dataclass(frozen=True)
class StoredReport:
    """What is known of the pose of two volumes.

    Attributes:
        node: that it is kept on.
        report: what :data:`KEPT` names of the report.
        movedMm: how far the moving volume has been moved since, at most over its corners; 0 if it has not.
        edited: which of the two have been given other voxels since; only looked for where nothing was moved.
    """

    node: slicer.vtkMRMLTransformableNode
    report: dict[str, Any]
    movedMm: float
    edited: tuple[slicer.vtkMRMLScalarVolumeNode, ...] = ()

    @property
    def isValid(self) -> bool:
        """Whether it is of the pose and the voxels that the volumes have now."""
        return self.movedMm == 0 and not self.edited


def voxelsOf(*nodes: slicer.vtkMRMLScalarVolumeNode) -> list[str]:
    """Fingerprints of the voxels of the fixed and the moving volume."""
    return [knownFingerprintOf(node) for node in nodes]


def editedOf(
    report: dict[str, Any], *nodes: slicer.vtkMRMLScalarVolumeNode
) -> tuple[slicer.vtkMRMLScalarVolumeNode, ...]:
    """Which of the fixed and the moving volume have other voxels than a report is of; none if it does not say that."""
    known = report.get("voxels")
    if not isinstance(known, list) or len(known) != len(nodes):
        return ()
    return tuple(node for node, then, now in zip(nodes, known, voxelsOf(*nodes), strict=True) if then != now)


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
    return max(found, key=lambda one: (one.isValid, -one.movedMm, one.node.GetAttribute(TIME) or ""), default=None)


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
    if moved >= SAME_MM:
        return StoredReport(node, report, moved)
    return StoredReport(node, report, 0.0, editedOf(report, fixed, moving))
