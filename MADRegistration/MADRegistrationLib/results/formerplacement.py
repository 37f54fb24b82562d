"""How the moving volume and the output transform were before a registration: kept, written on the transform so that it
survives saving the scene, and put back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk

from ..scene.attributes import (
    AGREED,
    ALONG,
    ATTRIBUTE_PREFIX,
    ERROR_MAP,
    FIXED,
    FORMER_ERROR_MAP,
    LEFT_BEHIND,
    MOVING,
    RESAMPLED,
    STRUCTURES,
    references,
    setReferenceIds,
)
from ..scene.matrices import toArray, toMatrix
from ..scene.storedvalues import matrixOf, objectOf
from ..scene.transforms import children, setParent

RECORD = ATTRIBUTE_PREFIX + "Before"
"""Attribute of the transform: JSON of what is not a reference to a node."""

FORMER_PARENT = "MADRegistrationFormerParent"
"""Node reference of the transform: what the moving volume lay under before."""

FORMER_ABOVE = "MADRegistrationFormerAbove"
FORMER_FIXED = "MADRegistrationFormerFixed"
FORMER_MOVING = "MADRegistrationFormerMoving"
"""Node references: of a transform that was there already, its parent and the volumes that it had registered before."""

_ROLES = (
    FORMER_PARENT,
    FORMER_ABOVE,
    FORMER_FIXED,
    FORMER_MOVING,
    ERROR_MAP,
    FORMER_ERROR_MAP,
    STRUCTURES,
    RESAMPLED,
    ALONG,
    AGREED,
    LEFT_BEHIND,
)


@dataclass(frozen=True)
class TransformState:
    """All of a transform node that a registration changes."""

    name: str
    matrix: np.ndarray
    parentId: str | None
    attributes: dict[str, str]
    references: dict[str, list[str]]

    @classmethod
    def of(cls, node: slicer.vtkMRMLLinearTransformNode) -> TransformState:
        matrix = vtk.vtkMatrix4x4()
        node.GetMatrixTransformToParent(matrix)
        names = [name for name in node.GetAttributeNames() if name.startswith(ATTRIBUTE_PREFIX)]
        roles = (FIXED, MOVING, *_ROLES)
        return cls(
            node.GetName(),
            toArray(matrix),
            node.GetTransformNodeID(),
            {name: node.GetAttribute(name) for name in names},
            {role: [one.GetID() for one in references(node, role)] for role in roles},
        )

    def restore(self, node: slicer.vtkMRMLLinearTransformNode) -> None:
        for name in node.GetAttributeNames():
            if name.startswith(ATTRIBUTE_PREFIX) and name not in self.attributes:
                node.RemoveAttribute(name)
        for name, value in self.attributes.items():
            node.SetAttribute(name, value)
        for role, ids in self.references.items():
            setReferenceIds(node, role, [one for one in ids if node.GetScene().GetNodeByID(one) is not None])
        node.SetName(self.name)
        setParent(node, self.parentId)
        node.SetMatrixTransformToParent(toMatrix(self.matrix))


@dataclass(frozen=True)
class FormerPlacement:
    """The scene above the moving volume before a registration.

    Attributes:
        moving: the volume.
        parentId: of the transform that it lay under, or None.
        state: of the output transform, or None if it is made by the registration.
    """

    moving: slicer.vtkMRMLScalarVolumeNode
    parentId: str | None
    state: TransformState | None

    @classmethod
    def of(
        cls, moving: slicer.vtkMRMLScalarVolumeNode, transform: slicer.vtkMRMLLinearTransformNode | None
    ) -> FormerPlacement:
        return cls(moving, moving.GetTransformNodeID(), None if transform is None else TransformState.of(transform))

    def restore(
        self,
        transform: slicer.vtkMRMLLinearTransformNode | None,
        along: Sequence[slicer.vtkMRMLNode] | None = None,
        withMoving: bool = True,
    ) -> None:
        """Put it back; a transform that the registration made is removed, nodes that are gone are left alone.

        Args:
            along: what was put under the transform with the moving volume; what is noted on the transform if None.
            withMoving: whether the moving volume goes back too.
        """
        if withMoving and self.moving.GetScene() is not None:
            setParent(self.moving, self.parentId)
        if transform is None or transform.GetScene() is None:
            return
        # what lies under a transform that goes, by whosever hand, keeps the transforms above it
        along = references(transform, ALONG) if along is None else along
        for node in children(transform) if self.state is None else along:
            if node.GetScene() is not None and node.GetParentTransformNode() is transform:
                setParent(node, self.parentId)
        if self.state is None:
            transform.GetScene().RemoveNode(transform)
        else:
            self.state.restore(transform)

    def write(self, transform: slicer.vtkMRMLLinearTransformNode) -> None:
        """Keep it on the transform, so that :meth:`read` finds it after the scene was saved and loaded.

        An earlier record on the same transform is not kept inside the new one: a loaded scene goes back one step.
        """
        wasUnder = self.parentId == transform.GetID()
        record = {"movingWasUnder": wasUnder}
        transform.SetNodeReferenceID(FORMER_PARENT, None if wasUnder else self.parentId)
        if self.state is not None:
            earlier = {name: value for name, value in self.state.attributes.items() if name != RECORD}
            record["transform"] = {"name": self.state.name, "matrix": self.state.matrix.tolist(), "attributes": earlier}
            transform.SetNodeReferenceID(FORMER_ABOVE, self.state.parentId)
            former = self.state.references
            setReferenceIds(transform, FORMER_FIXED, former[FIXED])
            setReferenceIds(transform, FORMER_MOVING, former[MOVING])
        transform.SetAttribute(RECORD, json.dumps(record))

    @classmethod
    def read(cls, transform: slicer.vtkMRMLLinearTransformNode) -> FormerPlacement | None:
        """What :meth:`write` kept; None if nothing that can be read, or if the volume has been taken out of the
        transform since."""
        record = objectOf(transform.GetAttribute(RECORD)) or {}
        moving = transform.GetNodeReference(MOVING)
        if "movingWasUnder" not in record or moving is None or moving.GetParentTransformNode() is not transform:
            return None
        parentId = transform.GetID() if record["movingWasUnder"] else transform.GetNodeReferenceID(FORMER_PARENT)
        former = record.get("transform")
        if former is None:
            return cls(moving, parentId, None)
        if not _isTransform(former):
            return None
        earlier: dict[str, list[str]] = {role: [] for role in _ROLES}
        earlier[FIXED] = [one.GetID() for one in references(transform, FORMER_FIXED)]
        earlier[MOVING] = [one.GetID() for one in references(transform, FORMER_MOVING)]
        earlier[AGREED] = [one.GetID() for one in references(transform, AGREED)]
        state = TransformState(
            former["name"],
            np.array(former["matrix"]),
            transform.GetNodeReferenceID(FORMER_ABOVE),
            former["attributes"],
            earlier,
        )
        return cls(moving, parentId, state)


def _isTransform(former: Any) -> bool:
    """Whether a part of a record says what a transform was."""
    return (
        isinstance(former, dict)
        and isinstance(former.get("name"), str)
        and matrixOf(former.get("matrix")) is not None
        and isinstance(former.get("attributes"), dict)
        and all(isinstance(value, str) for value in former["attributes"].values())
    )
