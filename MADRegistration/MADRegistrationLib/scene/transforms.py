"""Which transforms a node lies under, which nodes lie under a transform, and where in the world that puts them."""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from madreg.errors import InputError

from .matrices import toArray

LEAST_DETERMINANT = 1e-12
"""Of a transform that counts as invertible."""


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


def parentToWorld(node: slicer.vtkMRMLTransformableNode) -> np.ndarray:
    """4x4 RAS matrix of all transforms above a node; the identity if there are none.

    Raises:
        InputError: if one of them is not linear, or all together have no inverse.
    """
    parent = node.GetParentTransformNode()
    if parent is None:
        return np.eye(4)
    if not parent.IsTransformToWorldLinear():
        raise InputError(
            f'"{node.GetName()}" lies under the non-linear transform "{_nonLinearAbove(node).GetName()}": '
            f'harden that transform, or take "{node.GetName()}" out of it.'
        )
    return toWorld(parent)


def _nonLinearAbove(node: slicer.vtkMRMLTransformableNode) -> slicer.vtkMRMLTransformNode:
    """The nearest of the transforms above a node that is not linear itself; linear ones may lie between."""
    above = ancestors(node)
    return next((one for one in above if not one.IsLinear()), above[0])


def toWorld(transform: slicer.vtkMRMLTransformNode) -> np.ndarray:
    """4x4 RAS matrix of a transform and all above it.

    Raises:
        InputError: if one of them is not linear, or all together have no inverse.
    """
    if not transform.IsTransformToWorldLinear():
        name = f'"{transform.GetName()}"'
        if transform.IsLinear():
            above = _nonLinearAbove(transform).GetName()
            raise InputError(f'{name} lies under the non-linear transform "{above}": take it out of that.')
        raise InputError(f"{name} is not linear: choose a linear transform.")
    matrix = vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(matrix)
    found = toArray(matrix)
    if not abs(np.linalg.det(found)) > LEAST_DETERMINANT:  # nor if it is no number
        raise InputError(f'"{transform.GetName()}" has no inverse: correct its matrix (module Transforms).')
    return found
