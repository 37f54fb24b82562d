"""Where the moving volume lies in the scene: following a registration, and put back exactly as it was.

The transform of a registration is inserted between the moving volume and whatever was above it, so that no other
node moves and no parent is lost::

    moving volume -> registration transform -> former parent -> ... -> world

With ``A`` the motion in the world and ``P`` the former parents, the inserted matrix is ``inv(P) A P``, so that the
volume ends at ``A P``.  A moving volume that already lies under the output transform (registering again) keeps it:
the motions are composed in the same node, and the chain does not grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import slicer

from madreg.errors import InputError
from madreg.image.geometry import fixed_to_moving, slicer_to_parent

from ..scene.attributes import AGREED, ALONG, ATTRIBUTE_PREFIX, FIXED, LEFT_BEHIND, MOVING, refer, references
from ..scene.matrices import toMatrix
from ..scene.nodenames import namesOf
from ..scene.outputtransform import notAgreed, transformName, whyNotOutput
from ..scene.transforms import ancestors, parentToWorld, setParent
from .formerplacement import FormerPlacement


class Placement:
    """The moving volume's place in the scene, before and during one registration.

    Making one changes nothing in the scene; :meth:`show` does, and :meth:`restore` undoes it.

    Args:
        fixed, moving: the volumes that are registered.
        transform: the output, or None to make one at the first :meth:`show`.
        along: nodes that move with the moving volume: those under the same transform, or already under ``transform``.

    Attributes:
        isReplaced: whether ``transform`` was deleted meanwhile, so that another one was made.

    Raises:
        InputError: if a parent is not linear, or writing to ``transform`` would move the fixed volume or anything
            else but ``moving`` and ``along``, or would close a circle of transforms.
    """

    def __init__(
        self,
        fixed: slicer.vtkMRMLScalarVolumeNode,
        moving: slicer.vtkMRMLScalarVolumeNode,
        transform: slicer.vtkMRMLLinearTransformNode | None = None,
        along: Sequence[slicer.vtkMRMLTransformableNode] = (),
    ) -> None:
        self.fixed, self.moving, self.transform, self.along = fixed, moving, transform, list(along)
        self.scene, self.isReplaced, self._isShown = moving.GetScene(), False, False
        # the result belongs to the two volumes, wherever the user takes both meanwhile
        self._fromWorld, self._movingToWorld = np.linalg.inv(parentToWorld(fixed)), parentToWorld(moving)
        self._before = FormerPlacement.of(moving, transform)
        self._parentId = self._before.parentId
        self._putUnder: list[slicer.vtkMRMLTransformableNode] = []
        if transform is not None:
            self._checkOutput()
            if moving.GetParentTransformNode() is transform:
                self._parentId = transform.GetTransformNodeID()
        for node in self.along:
            if node.GetTransformNodeID() != self._before.parentId and transform not in ancestors(node):
                raise InputError(
                    f'"{node.GetName()}" cannot move along with "{moving.GetName()}": put both under one transform.'
                )

    def _checkOutput(self) -> None:
        reason = whyNotOutput(self.transform, self.fixed, self.moving)
        if reason:
            raise InputError(reason)
        others = notAgreed(self.transform, self.moving, self.along)
        if others:
            raise InputError(
                f'"{self.transform.GetName()}" also carries {namesOf(others)}, which would move with '
                f'"{self.moving.GetName()}": choose another output transform.'
            )

    @property
    def madeTransform(self) -> bool:
        """Whether the transform did not exist before."""
        return self._before.state is None

    def show(self, fixedToMoving: np.ndarray) -> None:
        """Put the moving volume where a 4x4 matrix (fixed LPS to moving LPS, world as it was at the start) says; raise
        InputError if the fixed volume was put under the transform meanwhile."""
        self._isShown = True
        if self.transform is not None and self.transform.GetScene() is None:  # deleted meanwhile
            wasUnder = self._before.parentId is not None and self.scene.GetNodeByID(self._before.parentId) is None
            self._before = replace(
                self._before, state=None, parentId=self._parentId if wasUnder else self._before.parentId
            )
            self.transform, self.isReplaced = None, True
        if self.transform is None:
            self.transform = self.scene.AddNewNodeByClass(
                "vtkMRMLLinearTransformNode", transformName(self.fixed, self.moving)
            )
        if self.transform in ancestors(self.fixed):
            raise InputError(whyNotOutput(self.transform, self.fixed, self.moving))
        setParent(self.transform, self._parentId)
        toWorld = parentToWorld(self.fixed) @ self.ownPose(fixedToMoving)
        self.transform.SetMatrixTransformToParent(toMatrix(np.linalg.inv(parentToWorld(self.transform)) @ toWorld))
        setParent(self.moving, self.transform.GetID())
        for node in _there(self.along):
            if self.transform not in ancestors(node):
                setParent(node, self.transform.GetID())
                self._putUnder.append(node)

    def ownPose(self, fixedToMoving: np.ndarray) -> np.ndarray:
        """A 4x4 matrix as of :meth:`show` as one that holds wherever the two are taken: RAS of the moving volume to RAS
        of the fixed one, each below its parents."""
        return self._fromWorld @ slicer_to_parent(fixedToMoving) @ self._movingToWorld

    def fromOwnPose(self, movingToFixed: np.ndarray) -> np.ndarray:
        """The reverse of :meth:`ownPose`."""
        return fixed_to_moving(np.linalg.inv(self._fromWorld) @ movingToFixed @ np.linalg.inv(self._movingToWorld))

    def sign(self, attributes: dict[str, str], drawn: Sequence[slicer.vtkMRMLNode] = ()) -> None:
        """Write on the transform how it came about: the two volumes, ``MADRegistration.<name>`` attributes, and what
        :meth:`restore` needs, so that a saved scene can be put back too.

        Args:
            drawn: what was drawn on the moving volume; what of it stays behind is noted.
        """
        transform = self.transform
        transform.SetNodeReferenceID(FIXED, self.fixed.GetID())
        transform.SetNodeReferenceID(MOVING, self.moving.GetID())
        for name, value in attributes.items():
            transform.SetAttribute(ATTRIBUTE_PREFIX + name, value)
        self._before.write(transform)
        agreed = references(transform, AGREED)
        refer(transform, AGREED, agreed + [node for node in _there(self.along) if node not in agreed])
        refer(transform, ALONG, [node for node in _there(self.along) if node in self._putUnder])
        refer(transform, LEFT_BEHIND, [node for node in _there(drawn) if transform not in ancestors(node)])

    def restore(self, withMoving: bool = True) -> None:
        """Put all back as before the first :meth:`show`; nodes that are gone, or hardened, are left alone."""
        if not self._isShown:
            return  # what has changed since, the user has changed
        self._isShown = False
        self._before.restore(self.transform, self._putUnder, withMoving)
        self._putUnder.clear()
        if self._before.state is None:
            self.transform = None


def _there(nodes: Sequence[slicer.vtkMRMLNode]) -> list[slicer.vtkMRMLNode]:
    """Those that are still in the scene."""
    return [node for node in nodes if node.GetScene() is not None]
