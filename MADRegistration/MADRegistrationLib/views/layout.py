"""The layout of the views: whether it has slice views, and a change to one that has some."""

from __future__ import annotations

import slicer

from .sliceviews import sliceNodes


def showSlices() -> bool:
    """Change to a layout with slice views if the present one has none; returns whether that was so."""
    layout = layoutNode()
    if layout is None or any(node.IsMappedInLayout() for node in sliceNodes()):
        return False
    layout.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    return True


def layoutNode() -> slicer.vtkMRMLLayoutNode | None:
    """The one node that arranges the views; None without an application."""
    return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
