"""A checkerboard of two volumes as another volume, which is shown instead of them."""

from __future__ import annotations

import slicer

from ..scene import ownnodes
from . import sliceviews

KIND = "checkerboard"
"""What it is marked as; see :mod:`ownnodes`."""

NAME = "Checkerboard of {moving} and {fixed}"

OF = "MADRegistrationComparisonOf"
"""Node reference to the fixed volume."""


def isShown(fixed: slicer.vtkMRMLNode) -> bool:
    """Whether a slice view shows a checkerboard with this fixed volume, on whose grid it lies."""
    shown = [slicer.mrmlScene.GetNodeByID(view.GetBackgroundVolumeID() or "") for view in sliceviews.compositeNodes()]
    return any(node is not None and node.GetNodeReference(OF) is fixed for node in shown)


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
    return node
