"""Where the moving volume lies in the scene: following a registration, and put back exactly as it was.

The transform of a registration is inserted between the moving volume and whatever was above it, so that no other
node moves and no parent is lost::

    moving volume -> registration transform -> former parent -> ... -> world

With ``A`` the motion in the world and ``P`` the former parents, the inserted matrix is ``inv(P) A P``, so that the
volume ends at ``A P``.  A moving volume that already lies under the output transform (registering again) keeps it:
the motions are composed in the same node, and the chain does not grow.
"""

from __future__ import annotations

import numpy as np
import slicer

from madreg.errors import InputError
from madreg.image.geometry import slicer_to_parent

from .before import ATTRIBUTE_PREFIX, Before
from .volumes import parentToWorld, toMatrix


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

    def __init__(
        self,
        fixed: slicer.vtkMRMLScalarVolumeNode,
        moving: slicer.vtkMRMLScalarVolumeNode,
        transform: slicer.vtkMRMLLinearTransformNode | None = None,
    ) -> None:
        self.fixed, self.moving, self.transform = fixed, moving, transform
        self.scene = moving.GetScene()
        parentToWorld(fixed)
        self._movingToWorld = parentToWorld(moving)
        self._before = Before.of(moving, transform)
        self._parentId, self._parentToWorld = self._before.parentId, self._movingToWorld
        if transform is not None:
            self._checkOutput()
            if moving.GetParentTransformNode() is transform:
                self._parentId, self._parentToWorld = transform.GetTransformNodeID(), parentToWorld(transform)

    def _checkOutput(self) -> None:
        transform = self.transform
        if transform in ancestors(self.fixed):
            raise InputError(
                f'The fixed volume "{self.fixed.GetName()}" lies under "{transform.GetName()}" and would '
                "be moved with it: choose another output transform."
            )
        if transform in ancestors(self.moving)[1:]:
            raise InputError(
                f'"{transform.GetName()}" already stands further up, above the parent of '
                f'"{self.moving.GetName()}": choose another output transform.'
            )

    def show(self, fixedToMoving: np.ndarray) -> None:
        """Put the moving volume where a 4x4 matrix (fixed LPS to moving LPS, world as it was at the start) says."""
        if self.transform is None:
            self.transform = self.scene.AddNewNodeByClass(
                "vtkMRMLLinearTransformNode", transformName(self.fixed, self.moving)
            )
        toParent = np.linalg.inv(self._parentToWorld) @ slicer_to_parent(fixedToMoving) @ self._movingToWorld
        if self.transform.GetTransformNodeID() != self._parentId:
            self.transform.SetAndObserveTransformNodeID(self._parentId)
        self.transform.SetMatrixTransformToParent(toMatrix(toParent))
        if self.moving.GetTransformNodeID() != self.transform.GetID():
            self.moving.SetAndObserveTransformNodeID(self.transform.GetID())

    def sign(self, attributes: dict[str, str]) -> None:
        """Write on the transform how it came about: the two volumes, ``MADRegistration.<name>`` attributes, and what
        :meth:`restore` needs, so that a saved scene can be put back too."""
        transform = self.transform
        transform.SetNodeReferenceID(transform.GetFixedNodeReferenceRole(), self.fixed.GetID())
        transform.SetNodeReferenceID(transform.GetMovingNodeReferenceRole(), self.moving.GetID())
        for name, value in attributes.items():
            transform.SetAttribute(ATTRIBUTE_PREFIX + name, value)
        self._before.write(transform)

    def restore(self) -> None:
        """Put everything back as it was before the first :meth:`show`; nodes that are gone are left alone."""
        self._before.restore(self.transform)
        if self._before.state is None:
            self.transform = None
