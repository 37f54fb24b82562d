"""Colours that distinguish the two volumes, also for those who do not see red and green: the fixed one stays grey, the
moving one is orange, its edges are blue (of the palette of Okabe and Ito)."""

from __future__ import annotations

import slicer

ORANGE, BLUE = (230 / 255, 159 / 255, 0.0), (86 / 255, 180 / 255, 233 / 255)

FORMER = "MADRegistrationFormerColor"
"""Node reference of a display node: its colours before :func:`show`."""


def ramp(name: str, color: tuple[float, float, float]) -> slicer.vtkMRMLColorTableNode:
    """Colours from black to one; made once in a scene and not saved with it."""
    scene = slicer.mrmlScene
    node = scene.GetSingletonNode(f"MAD{name}", "vtkMRMLColorTableNode")
    if node is not None:
        return node
    node = slicer.vtkMRMLColorTableNode()
    node.SetName(f"MAD {name.lower()}")
    node.SetSingletonTag(f"MAD{name}")
    node.SetTypeToUser()
    node.SetNumberOfColors(256)
    for index in range(256):
        node.SetColor(index, *(value * index / 255 for value in color), 1.0)
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    return scene.AddNode(node)


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
