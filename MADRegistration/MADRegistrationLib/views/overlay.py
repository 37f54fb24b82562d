"""One volume over the two others: the error map or the edges, in the layer of the slice views that is for labels.

So both volumes stay visible and can be blended below it.  What the user had in that layer comes back.
"""

from __future__ import annotations

import slicer

from ..scene.ownnodes import KIND
from ..scene.storedvalues import numbersOf
from .sliceviews import compositeNodes

FORMER, FORMER_OPACITY = "MADRegistrationFormerLabel", "MADRegistration.FormerLabelOpacity"
"""Node reference and attribute of a slice view: its label layer before :func:`show`."""


def show(volume: slicer.vtkMRMLVolumeNode, opacity: float) -> None:
    """Lay a volume over the others in every slice view, until :func:`hide`."""
    for view in compositeNodes():
        if shownIn(view) is None:
            view.SetNodeReferenceID(FORMER, view.GetLabelVolumeID())
            view.SetAttribute(FORMER_OPACITY, str(view.GetLabelOpacity()))
        view.SetLabelVolumeID(volume.GetID())
        view.SetLabelOpacity(opacity)


def hide(volume: slicer.vtkMRMLVolumeNode | None = None) -> None:
    """Show what there was before, in the views that still show ``volume``, or any of ours if None."""
    for view in compositeNodes():
        shown = shownIn(view)
        if shown is not None and volume in (None, shown):
            view.SetLabelVolumeID(view.GetNodeReferenceID(FORMER))
            opacity = numbersOf(view.GetAttribute(FORMER_OPACITY), 1)
            view.SetLabelOpacity(1.0 if opacity is None else float(opacity[0]))
            view.SetNodeReferenceID(FORMER, None)
            view.RemoveAttribute(FORMER_OPACITY)


def shownIn(view: slicer.vtkMRMLSliceCompositeNode) -> slicer.vtkMRMLVolumeNode | None:
    """What a view shows in that layer, if this module has made it."""
    node = slicer.mrmlScene.GetNodeByID(view.GetLabelVolumeID() or "")
    return node if node is not None and node.GetAttribute(KIND) else None


def isShown(volume: slicer.vtkMRMLVolumeNode | None) -> bool:
    """Whether a view shows it; no view shows None."""
    return volume is not None and any(shownIn(view) is volume for view in compositeNodes())
