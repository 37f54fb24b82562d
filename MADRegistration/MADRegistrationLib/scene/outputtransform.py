"""Which transform takes the result of a registration, and what it would move besides."""

from __future__ import annotations

from collections.abc import Sequence

import slicer

from .attributes import AGREED, references
from .ownnodes import KIND, isOf
from .transforms import ancestors, carried


def transformName(fixed: slicer.vtkMRMLNode, moving: slicer.vtkMRMLNode) -> str:
    """Name of a transform that is made on demand."""
    return f"{moving.GetName()} to {fixed.GetName()} (MAD)"


def ownTransform(
    fixed: slicer.vtkMRMLNode, moving: slicer.vtkMRMLTransformableNode
) -> slicer.vtkMRMLLinearTransformNode | None:
    """The transform by which a former registration of the same two volumes has moved ``moving``."""
    parent = moving.GetParentTransformNode()
    isOwn = parent is not None and parent.IsA("vtkMRMLLinearTransformNode") and isOf(parent, fixed, moving)
    return parent if isOwn else None


def whyNotOutput(
    transform: slicer.vtkMRMLTransformNode,
    fixed: slicer.vtkMRMLTransformableNode,
    moving: slicer.vtkMRMLTransformableNode,
) -> str | None:
    """One sentence that says why a result cannot be written to a transform, or None if it can."""
    name = f'"{transform.GetName()}"'
    if transform in ancestors(fixed):
        return (
            f'The fixed volume "{fixed.GetName()}" lies under {name} and would be moved with it: '
            "choose another output transform."
        )
    if transform in ancestors(moving)[1:]:
        return f'{name} already stands above the parent of "{moving.GetName()}": choose another output transform.'
    return None


def notAgreed(
    transform: slicer.vtkMRMLTransformNode, moving: slicer.vtkMRMLNode, along: Sequence[slicer.vtkMRMLNode] = ()
) -> list[slicer.vtkMRMLTransformableNode]:
    """What a transform would move besides the moving volume, ``along`` and what the user has agreed to before."""
    agreed = [moving, *along, *references(transform, AGREED)]
    return [node for node in carried(transform) if node not in agreed and not node.GetAttribute(KIND)]
