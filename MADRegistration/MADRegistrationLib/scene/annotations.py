"""Annotations: what was drawn on a volume and belongs to it (segmentations, label maps, markups and models).

Slicer itself does not keep them together: when a transform moves the volume, they stay where they are.
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from .ownnodes import KIND
from .transforms import carried
from .volumes import ijkToRas

KINDS = ("vtkMRMLSegmentationNode", "vtkMRMLLabelMapVolumeNode", "vtkMRMLMarkupsNode", "vtkMRMLModelNode")


def drawnOn(volume: slicer.vtkMRMLScalarVolumeNode) -> list[slicer.vtkMRMLDisplayableNode]:
    """The nodes that were drawn on a volume and lie under the same transform as it.

    That is known of a segmentation whose reference geometry is the volume, a label map on the same voxels, markups
    placed on the volume, and what lies below the volume in the subject hierarchy.  What shares a transform with the
    volume, and with no other scan, belongs to it too.
    """
    parent = volume.GetParentTransformNode()
    isShared = parent is not None and _isOnlyScan(volume, parent)
    below = _nodesBelow(volume)
    return [
        node
        for kind in KINDS
        for node in slicer.util.getNodesByClass(kind)
        if node.GetParentTransformNode() is parent
        and not node.GetHideFromEditors()
        and (isShared or node in below or _isLinked(node, volume))
    ]


def _isOnlyScan(volume: slicer.vtkMRMLScalarVolumeNode, parent: slicer.vtkMRMLTransformNode) -> bool:
    """Whether a transform carries no other scan."""
    scans = (node for node in carried(parent) if node.IsA("vtkMRMLVolumeNode") and not node.GetAttribute(KIND))
    return all(node is volume or node.IsA("vtkMRMLLabelMapVolumeNode") for node in scans)


def _isLinked(node: slicer.vtkMRMLNode, volume: slicer.vtkMRMLScalarVolumeNode) -> bool:
    if node.IsA("vtkMRMLSegmentationNode"):
        return node.GetNodeReference(slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()) is volume
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        return isOnSameVoxels(node, volume)
    if node.IsA("vtkMRMLMarkupsNode"):
        count = node.GetNumberOfControlPoints()
        return count > 0 and all(node.GetNthControlPointAssociatedNodeID(n) == volume.GetID() for n in range(count))
    return False


def _nodesBelow(volume: slicer.vtkMRMLNode) -> list[slicer.vtkMRMLNode]:
    """The nodes below a volume in the subject hierarchy."""
    hierarchy = volume.GetScene().GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode")
    nodes = vtk.vtkCollection()
    if hierarchy is not None and (item := hierarchy.GetItemByDataNode(volume)):
        hierarchy.GetDataNodesInBranch(item, nodes)
    return [node for node in map(nodes.GetItemAsObject, range(nodes.GetNumberOfItems())) if node is not volume]


def isOnSameVoxels(node: slicer.vtkMRMLVolumeNode, volume: slicer.vtkMRMLVolumeNode) -> bool:
    """Whether two volumes have the same voxels, before any parent transform."""
    first, second = node.GetImageData(), volume.GetImageData()
    if first is None or second is None or first.GetDimensions() != second.GetDimensions():
        return False
    return np.allclose(ijkToRas(node), ijkToRas(volume), atol=1e-3)
