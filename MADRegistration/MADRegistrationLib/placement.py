"""Where the moving volume lies in the scene: following a registration, and put back exactly as it was.

The transform of a registration is inserted between the moving volume and whatever was above it, so that no other
node moves and no parent is lost::

    moving volume -> registration transform -> former parent -> ... -> world

With ``A`` the motion in the world and ``P`` the former parents, the inserted matrix is ``inv(P) A P``, so that the
volume ends at ``A P``.  A moving volume that already lies under the output transform (registering again) keeps it:
the motions are composed in the same node, and the chain does not grow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk

from madreg.errors import InputError
from madreg.geometry import slicer_to_parent

from .volumes import parentToWorld, toArray, toMatrix

ATTRIBUTE_PREFIX = "MADRegistration."


def transformName(fixed: slicer.vtkMRMLNode, moving: slicer.vtkMRMLNode) -> str:
    """Name of a transform that is made on demand."""
    return f"{moving.GetName()} to {fixed.GetName()} (MAD)"


def ancestors(node: slicer.vtkMRMLTransformableNode) -> list[slicer.vtkMRMLTransformNode]:
    """The transforms above a node, the nearest first."""
    chain = []
    parent = node.GetParentTransformNode()
    while parent is not None:
        chain.append(parent)
        parent = parent.GetParentTransformNode()
    return chain


@dataclass(frozen=True)
class _TransformState:
    """All of a transform node that a registration changes."""

    name: str
    matrix: np.ndarray
    parentId: str | None
    attributes: dict[str, str]
    references: dict[str, str | None]

    @classmethod
    def of(cls, node: slicer.vtkMRMLLinearTransformNode) -> _TransformState:
        matrix = vtk.vtkMatrix4x4()
        node.GetMatrixTransformToParent(matrix)
        names = [name for name in node.GetAttributeNames() if name.startswith(ATTRIBUTE_PREFIX)]
        roles = (node.GetFixedNodeReferenceRole(), node.GetMovingNodeReferenceRole())
        return cls(node.GetName(), toArray(matrix), node.GetTransformNodeID(),
                   {name: node.GetAttribute(name) for name in names},
                   {role: node.GetNodeReferenceID(role) for role in roles})

    def restore(self, node: slicer.vtkMRMLLinearTransformNode) -> None:
        for name in node.GetAttributeNames():
            if name.startswith(ATTRIBUTE_PREFIX) and name not in self.attributes:
                node.RemoveAttribute(name)
        for name, value in self.attributes.items():
            node.SetAttribute(name, value)
        for role, nodeId in self.references.items():
            node.SetNodeReferenceID(role, nodeId)
        node.SetName(self.name)
        node.SetAndObserveTransformNodeID(self.parentId)
        node.SetMatrixTransformToParent(toMatrix(self.matrix))


class Placement:
    """The moving volume's place in the scene, before and during one registration.

    Making one changes nothing in the scene; :meth:`show` does, and :meth:`restore` undoes it.

    Args:
        fixed, moving: the volumes that are registered.
        transform: the output, or None to make one at the first :meth:`show`.

    Raises:
        InputError: if a parent is not linear, or writing to ``transform`` would move the fixed volume or close a
            circle of transforms.
    """

    def __init__(self, fixed: slicer.vtkMRMLScalarVolumeNode, moving: slicer.vtkMRMLScalarVolumeNode,
                 transform: slicer.vtkMRMLLinearTransformNode | None = None) -> None:
        self.fixed, self.moving, self.transform = fixed, moving, transform
        self.scene = moving.GetScene()
        parentToWorld(fixed)
        self._movingToWorld = parentToWorld(moving)
        self._movingParentId = moving.GetTransformNodeID()
        self._formerTransform: _TransformState | None = None
        self._parentId, self._parentToWorld = self._movingParentId, self._movingToWorld
        if transform is not None:
            self._checkOutput()
            self._formerTransform = _TransformState.of(transform)
            if moving.GetParentTransformNode() is transform:
                self._parentId, self._parentToWorld = transform.GetTransformNodeID(), parentToWorld(transform)

    def _checkOutput(self) -> None:
        transform = self.transform
        if transform in ancestors(self.fixed):
            raise InputError(f'The fixed volume "{self.fixed.GetName()}" lies under "{transform.GetName()}" and would '
                             "be moved with it: choose another output transform.")
        if transform in ancestors(self.moving)[1:]:
            raise InputError(f'"{transform.GetName()}" already stands further up, above the parent of '
                             f'"{self.moving.GetName()}": choose another output transform.')

    def show(self, fixedToMoving: np.ndarray) -> None:
        """Put the moving volume where a 4x4 matrix (fixed LPS to moving LPS, world as it was at the start) says."""
        if self.transform is None:
            self.transform = self.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode",
                                                          transformName(self.fixed, self.moving))
        toParent = np.linalg.inv(self._parentToWorld) @ slicer_to_parent(fixedToMoving) @ self._movingToWorld
        if self.transform.GetTransformNodeID() != self._parentId:
            self.transform.SetAndObserveTransformNodeID(self._parentId)
        self.transform.SetMatrixTransformToParent(toMatrix(toParent))
        if self.moving.GetTransformNodeID() != self.transform.GetID():
            self.moving.SetAndObserveTransformNodeID(self.transform.GetID())

    def sign(self, attributes: dict[str, str]) -> None:
        """Write on the transform how it came about: the two volumes, and ``MADRegistration.<name>`` attributes."""
        transform = self.transform
        transform.SetNodeReferenceID(transform.GetFixedNodeReferenceRole(), self.fixed.GetID())
        transform.SetNodeReferenceID(transform.GetMovingNodeReferenceRole(), self.moving.GetID())
        for name, value in attributes.items():
            transform.SetAttribute(ATTRIBUTE_PREFIX + name, value)

    def restore(self) -> None:
        """Put everything back as it was before the first :meth:`show`; nodes that are gone are left alone."""
        if self.moving.GetScene() is self.scene:
            self.moving.SetAndObserveTransformNodeID(self._movingParentId)
        if self.transform is None or self.transform.GetScene() is not self.scene:
            return
        if self._formerTransform is not None:
            self._formerTransform.restore(self.transform)
        else:
            self.scene.RemoveNode(self.transform)
            self.transform = None
