"""A checkerboard of two volumes as another volume, which is shown instead of them."""

from __future__ import annotations

import json

import numpy as np
import slicer

from madreg.errors import InputError

from ..scene import ownnodes
from ..scene.attributes import ATTRIBUTE_PREFIX
from ..scene.fingerprint import knownFingerprintOf
from ..scene.pose import SAME_MM, distanceMm, poseOf
from ..scene.storedvalues import matrixOf
from ..scene.volumes import ijkToRas
from . import sliceviews

KIND = "checkerboard"
"""What it is marked as; see :mod:`ownnodes`."""

NAME = "Checkerboard of {moving} and {fixed}"

OF, WITH = "MADRegistrationComparisonOf", "MADRegistrationComparisonWith"
"""Node references to the fixed and the moving volume."""

VOXELS, POSE = ATTRIBUTE_PREFIX + "ComparisonOfVoxels", ATTRIBUTE_PREFIX + "ComparisonOfPose"
"""Attributes: the fingerprints that both had, and JSON of their pose, see :func:`pose.poseOf`."""


def isShown(fixed: slicer.vtkMRMLNode) -> bool:
    """Whether a slice view shows a checkerboard with this fixed volume, on whose grid it lies."""
    return bool(_shown(fixed))


def _shown(fixed: slicer.vtkMRMLNode) -> list[slicer.vtkMRMLScalarVolumeNode]:
    shown = [slicer.mrmlScene.GetNodeByID(view.GetBackgroundVolumeID() or "") for view in sliceviews.compositeNodes()]
    return [node for node in shown if node is not None and node.GetNodeReference(OF) is fixed]


def stateOf(fixed: slicer.vtkMRMLScalarVolumeNode, moving: slicer.vtkMRMLScalarVolumeNode) -> dict[str, str]:
    """What a checkerboard of two volumes is of, by the names of attributes.

    Raises:
        InputError: if one of them lies under a non-linear transform.
    """
    voxels = [knownFingerprintOf(node) for node in (fixed, moving)]
    return {VOXELS: json.dumps(voxels), POSE: json.dumps(poseOf(fixed, moving).tolist())}


def isOutdated(fixed: slicer.vtkMRMLScalarVolumeNode, moving: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """Whether a slice view shows a checkerboard with this fixed volume that is not of the two as they lie now."""
    return any(not _isCurrent(node, fixed, moving) for node in _shown(fixed))


def _isCurrent(
    node: slicer.vtkMRMLScalarVolumeNode,
    fixed: slicer.vtkMRMLScalarVolumeNode,
    moving: slicer.vtkMRMLScalarVolumeNode,
) -> bool:
    pose = matrixOf(node.GetAttribute(POSE))
    if pose is None or node.GetNodeReference(WITH) is not moving:
        return False
    isOnFixed = np.allclose(ijkToRas(node), ijkToRas(fixed), rtol=0, atol=SAME_MM)
    if not isOnFixed or node.GetTransformNodeID() != fixed.GetTransformNodeID():
        return False
    try:
        state = stateOf(fixed, moving)
    except InputError:
        return False
    return state[VOXELS] == node.GetAttribute(VOXELS) and distanceMm(pose, poseOf(fixed, moving), moving) < SAME_MM


def findOrMake(
    fixed: slicer.vtkMRMLScalarVolumeNode, moving: slicer.vtkMRMLScalarVolumeNode
) -> slicer.vtkMRMLScalarVolumeNode:
    """The node for the checkerboard of two volumes: the former one of the same pair, or a new one without voxels."""
    scene = fixed.GetScene()
    name = NAME.format(fixed=fixed.GetName(), moving=moving.GetName())
    former = ownnodes.marked("vtkMRMLScalarVolumeNode", KIND)  # not a volume of the user's that is called so
    node = next((node for node in former if node.GetName() == name), None)
    if node is None:
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        display = scene.AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
        display.SetDefaultColorMap()
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(255, 127.5)
        node.SetAndObserveDisplayNodeID(display.GetID())
    ownnodes.mark(node, KIND)
    node.SetNodeReferenceID(OF, fixed.GetID())
    node.SetNodeReferenceID(WITH, moving.GetID())
    return node
