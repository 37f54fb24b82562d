"""Which transforms a node lies under, and which nodes lie under a transform."""

from __future__ import annotations

from collections.abc import Iterable

import slicer

MOST_NAMES = 3
"""Nodes that are named one by one in a sentence."""


def ancestors(node: slicer.vtkMRMLTransformableNode) -> list[slicer.vtkMRMLTransformNode]:
    """The transforms above a node, the nearest first."""
    chain = []
    parent = node.GetParentTransformNode()
    while parent is not None:
        chain.append(parent)
        parent = parent.GetParentTransformNode()
    return chain


def children(transform: slicer.vtkMRMLTransformNode) -> list[slicer.vtkMRMLTransformableNode]:
    """The nodes directly under a transform."""
    nodes = slicer.util.getNodesByClass("vtkMRMLTransformableNode")
    return [node for node in nodes if node.GetParentTransformNode() is transform]


def carried(transform: slicer.vtkMRMLTransformNode) -> list[slicer.vtkMRMLTransformableNode]:
    """All nodes that move with a transform, except transforms that carry others themselves."""
    found = []
    for node in children(transform):
        below = carried(node) if node.IsA("vtkMRMLTransformNode") else []
        found += below or [node]
    return found


def setParent(node: slicer.vtkMRMLTransformableNode, parentId: str | None) -> None:
    """Put a node under a transform; under none if that is gone."""
    isThere = parentId is not None and node.GetScene().GetNodeByID(parentId) is not None
    if node.GetTransformNodeID() != (parentId if isThere else None):
        node.SetAndObserveTransformNodeID(parentId if isThere else None)


def namesOf(nodes: Iterable[slicer.vtkMRMLNode]) -> str:
    """Names for a sentence: ``"A", "B" and 5 more``."""
    names = [f'"{node.GetName()}"' for node in nodes]
    if len(names) > MOST_NAMES:
        return f"{', '.join(names[: MOST_NAMES - 1])} and {len(names) - MOST_NAMES + 1} more"
    return " and ".join(", ".join(names).rsplit(", ", 1)) if names else ""
