"""What is chosen before the user has chosen."""

from __future__ import annotations

from typing import Any

import slicer


def chooseFirstVolumes(parameters: Any) -> None:
    """Choose the first two scalar volumes of the scene, if neither a fixed nor a moving volume is chosen."""
    if parameters.fixedVolume or parameters.movingVolume:
        return
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    scans = [node for node in nodes if node.GetClassName() == "vtkMRMLScalarVolumeNode"]
    if len(scans) > 1:
        parameters.fixedVolume, parameters.movingVolume = scans[:2]
