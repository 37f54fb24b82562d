"""Whether there are slice views to be seen, and a layout that has some."""

from __future__ import annotations

import slicer

from .snapshot import layoutNode, sliceNodes


def showSlices() -> bool:
    """Change to a layout with slice views if the present one has none; returns whether that was so."""
    layout = layoutNode()
    if layout is None or any(node.IsMappedInLayout() for node in sliceNodes()):
        return False
    layout.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    return True
