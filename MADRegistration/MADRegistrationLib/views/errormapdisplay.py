"""How an error map is shown: its colors, over what the slice views show, and the legend."""

from __future__ import annotations

import slicer

from ..scene.attributes import WORST_POINT
from . import overlay, sliceviews

COLORS = "vtkMRMLColorTableNodeFileColdToHotRainbow.txt"

FULL_MM = 5.0
"""Error shown in the last color, unless the user chooses another."""

OPACITY = 0.5


def make(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLScalarVolumeDisplayNode:
    """A display node with colors from 0 to :data:`FULL_MM`; what is below is clear."""
    display = scene.AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
    display.SetAndObserveColorNodeID(COLORS)
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0, FULL_MM)
    display.SetThreshold(1e-3, 1e6)
    display.SetApplyThreshold(True)
    return display


def show(node: slicer.vtkMRMLScalarVolumeNode, fullMm: float = FULL_MM) -> None:
    """Lay the map over what the slice views show, with a legend.

    Args:
        fullMm: the error shown in the last color.
    """
    setScale(node, fullMm)
    overlay.show(node, OPACITY)
    legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(node.GetDisplayNode())
    legend.SetTitleText("Error (mm)")
    legend.SetLabelFormat("%.1f")
    legend.SetNumberOfLabels(6)
    legend.SetSize(0.12, 0.5)  # of the view
    legend.GetLabelTextProperty().SetFontSize(16)
    legend.GetTitleTextProperty().SetFontSize(16)
    legend.SetVisibility(True)
    legend.Modified()  # else a view that shows the map only now leaves it out


def setScale(node: slicer.vtkMRMLScalarVolumeNode, fullMm: float) -> None:
    """Colors from 0 to so many mm."""
    if node.GetDisplayNode() is not None:
        node.GetDisplayNode().SetWindowLevelMinMax(0, fullMm)


def scaleOf(node: slicer.vtkMRMLScalarVolumeNode) -> float | None:
    """The error in mm in the last color; None if there are no colors."""
    display = node.GetDisplayNode()
    return None if display is None else display.GetWindowLevelMax()


def hideAll(but: slicer.vtkMRMLScalarVolumeNode | None = None) -> None:
    """Take every map out of the views, or all but one."""
    for view in sliceviews.compositeNodes():
        node = overlay.shownIn(view)
        if node is not None and node is not but and node.GetAttribute(WORST_POINT):
            hide(node)


def hide(node: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Take it out of the views; nothing happens to views that show another label layer."""
    overlay.hide(node)
    if node.GetDisplayNode() is None:  # the user is removing it
        return
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node.GetDisplayNode())
    if legend is not None:
        legend.SetVisibility(False)
