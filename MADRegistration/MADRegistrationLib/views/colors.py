"""Colours that distinguish the two volumes, also for those who do not see red and green: the fixed one stays grey, the
moving one is orange, its edges are blue (of the palette of Okabe and Ito)."""

from __future__ import annotations

import numpy as np
import slicer

ORANGE, BLUE = (230 / 255, 159 / 255, 0.0), (86 / 255, 180 / 255, 233 / 255)

SHADES = 256
"""From black to a color."""

FORMER = "MADRegistrationFormerColor"
"""Node reference of a display node: its colours before :func:`show`."""


def ramp(name: str, color: tuple[float, float, float]) -> slicer.vtkMRMLColorTableNode:
    """Colours from black to one; made once in a scene.  They are saved with it: without them a volume that is shown in
    them is not seen where this module is not there, or not open yet."""
    scene = slicer.mrmlScene
    node = scene.GetSingletonNode(f"MAD{name}", "vtkMRMLColorTableNode")
    if node is None:
        node = slicer.vtkMRMLColorTableNode()
        node.SetName(f"MAD {name.lower()}")
        node.SetSingletonTag(f"MAD{name}")
        _fill(node, color)
        node = scene.AddNode(node)
        _useAgain(node)
    elif not _isFilled(node, color):  # it was saved without its file
        _fill(node, color)
    return node


def _fill(node: slicer.vtkMRMLColorTableNode, color: tuple[float, float, float]) -> None:
    node.SetTypeToUser()
    node.SetNumberOfColors(SHADES)
    for index in range(SHADES):
        node.SetColor(index, *(value * index / (SHADES - 1) for value in color), 1.0)


def _isFilled(node: slicer.vtkMRMLColorTableNode, color: tuple[float, float, float]) -> bool:
    last = [0.0] * 4
    return (
        node.GetNumberOfColors() == SHADES
        and bool(node.GetColor(SHADES - 1, last))
        and np.allclose(last[:3], color, atol=0.01)
    )


def _useAgain(node: slicer.vtkMRMLColorTableNode) -> None:
    """Show it where a loaded scene refers to it, in which it was not saved."""
    for display in slicer.util.getNodesByClass("vtkMRMLVolumeDisplayNode"):
        if display.GetColorNodeID() == node.GetID():
            display.SetAndObserveColorNodeID("")
            display.SetAndObserveColorNodeID(node.GetID())


def show(volume: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Show a volume in orange; window and level stay."""
    display = volume.GetDisplayNode()
    if display is None or isShown(volume):
        return
    display.SetNodeReferenceID(FORMER, display.GetColorNodeID())
    display.SetAndObserveColorNodeID(ramp("Orange", ORANGE).GetID())


def hide(volume: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Give it back the colours that it had."""
    display = volume.GetDisplayNode()
    if display is not None and isShown(volume):
        display.SetAndObserveColorNodeID(display.GetNodeReferenceID(FORMER) or "")  # None is refused
        display.SetNodeReferenceID(FORMER, None)


def isShown(volume: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """Whether it is shown in orange."""
    display = volume.GetDisplayNode()
    return display is not None and display.GetColorNodeID() == ramp("Orange", ORANGE).GetID()
