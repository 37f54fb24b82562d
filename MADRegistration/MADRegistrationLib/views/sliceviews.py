"""The slice views: fixed and moving volume over each other, and the place that they show."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import slicer


def compositeNodes() -> list[slicer.vtkMRMLSliceCompositeNode]:
    """What the slice views show, one node a view."""
    return list(slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"))


def show(
    fixed: slicer.vtkMRMLVolumeNode, moving: slicer.vtkMRMLVolumeNode | None, opacity: float = 0.5, fit: bool = True
) -> None:
    """The fixed volume in every slice view, the moving one half transparent over it.

    Args:
        fit: whether to bring the whole fixed volume into view, instead of staying where the views are.
    """
    hasViews = getattr(slicer, "app", None) is not None
    with slicer.util.RenderBlocker() if hasViews else nullcontext():  # drawn once, not after each step
        slicer.util.setSliceViewerLayers(
            background=fixed, foreground=moving, foregroundOpacity=opacity, fit=fit and hasViews
        )


def isShown(fixed: slicer.vtkMRMLNode, moving: slicer.vtkMRMLNode) -> bool:
    """Whether at least one view shows both, in either order."""
    wanted = {fixed.GetID(), moving.GetID()}
    return any({node.GetBackgroundVolumeID(), node.GetForegroundVolumeID()} == wanted for node in compositeNodes())


def blend(opacity: float) -> None:
    """How much of the foreground is seen, 0 to 1."""
    for node in compositeNodes():
        node.SetForegroundOpacity(opacity)


def opacity() -> float:
    """How much of the foreground is seen now."""
    nodes = compositeNodes()
    return nodes[0].GetForegroundOpacity() if nodes else 0.5


def flick() -> None:
    """Show only the other of the two volumes; called by a timer, the eye sees every difference jump."""
    blend(0.0 if opacity() > 0.5 else 1.0)


def jumpTo(point: np.ndarray) -> None:
    """Bring a point (RAS mm, world) into the middle of every slice view."""
    slicer.vtkMRMLSliceNode.JumpAllSlices(
        slicer.mrmlScene, *map(float, point), slicer.vtkMRMLSliceNode.CenteredJumpSlice
    )


def sliceNodes() -> list[slicer.vtkMRMLSliceNode]:
    """The slice views' positions, one node a view."""
    return list(slicer.util.getNodesByClass("vtkMRMLSliceNode"))
