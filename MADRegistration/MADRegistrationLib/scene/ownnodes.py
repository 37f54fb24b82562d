"""Nodes that this module has made: they are marked, so that they are not offered as inputs and go with Revert."""

from __future__ import annotations

import slicer

from .attributes import ATTRIBUTE_PREFIX, FIXED, MOVING, VERSION

KIND = ATTRIBUTE_PREFIX + "Made"
"""Attribute of a volume that only shows something: what it is."""


NAME = ATTRIBUTE_PREFIX + "Name"
"""Attribute of it: what it was called.  What the user has copied or renamed is called otherwise."""


def mark(node: slicer.vtkMRMLNode, kind: str) -> None:
    """Note that a volume is no scan."""
    rememberName(node)
    node.SetAttribute(KIND, kind)


def rememberName(node: slicer.vtkMRMLNode) -> None:
    """Note what a node is called."""
    node.SetAttribute(NAME, node.GetName())


def isTheUsers(node: slicer.vtkMRMLNode) -> bool:
    """Whether the user has copied or renamed what this module has made: it is not removed by itself."""
    return node.GetAttribute(NAME) not in (None, node.GetName())


def ids() -> list[str]:
    """IDs of all volumes in the scene that are no scans."""
    return [node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode") if node.GetAttribute(KIND)]


def isResult(transform: slicer.vtkMRMLTransformNode) -> bool:
    """Whether a transform is the result of a registration by this module."""
    return transform.GetAttribute(VERSION) is not None


def removePictures() -> None:
    """Remove the volumes that can be made again at any time: checkerboards and edges."""
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if node.GetAttribute(KIND) in ("checkerboard", "edges") and not isTheUsers(node):
            remove(node)


def remove(node: slicer.vtkMRMLVolumeNode) -> None:
    """Remove a volume with the nodes that say how it is displayed."""
    scene = node.GetScene()
    node.RemoveAttribute(KIND)  # who looks while its parts go one by one sees none of ours
    displays = [node.GetNthDisplayNode(n) for n in range(node.GetNumberOfDisplayNodes())]
    scene.RemoveNode(node)
    for display in filter(None, displays):
        if display.GetScene() is not None:  # Slicer may have removed it with the volume
            scene.RemoveNode(display)


def isOf(node: slicer.vtkMRMLNode, fixed: slicer.vtkMRMLNode, moving: slicer.vtkMRMLNode) -> bool:
    """Whether a transform or an error map is what this module has made of these two volumes."""
    return (
        node.GetAttribute(VERSION) is not None
        and node.GetNodeReference(FIXED) is fixed
        and node.GetNodeReference(MOVING) is moving
    )


def marked(className: str, *kinds: str) -> list[slicer.vtkMRMLNode]:
    """The nodes of a class in the scene that are marked as one of these kinds."""
    return [node for node in slicer.util.getNodesByClass(className) if node.GetAttribute(KIND) in kinds]
