"""What the nodes of a result have in common, the error map and the table of structures: whose result they are."""

from __future__ import annotations

from typing import Any

import slicer

from ..scene import ownnodes
from ..scene.attributes import FIXED, MOVING, VERSION
from ..scene.ownnodes import isOf
from . import storedreport


def nameOf(
    what: str,
    fixed: slicer.vtkMRMLNode,
    moving: slicer.vtkMRMLNode,
    transform: slicer.vtkMRMLTransformNode | None,
) -> str:
    """The name of a node of a result.

    Args:
        what: it shows.
        transform: of the registration; None for an assessment, whose nodes have other names than those of a
            registration of the same volumes.
    """
    return f"{moving.GetName()} to {fixed.GetName()} {what if transform is not None else f'assessed {what}'} (MAD)"


def sign(
    node: slicer.vtkMRMLNode,
    fixed: slicer.vtkMRMLScalarVolumeNode,
    moving: slicer.vtkMRMLScalarVolumeNode,
    report: dict[str, Any],
) -> None:
    """Write both volumes, the version and the outcome on a node."""
    node.SetNodeReferenceID(FIXED, fixed.GetID())
    node.SetNodeReferenceID(MOVING, moving.GetID())
    node.SetAttribute(VERSION, str(report.get("madreg")))
    ownnodes.rememberName(node)
    storedreport.keep(node, fixed, moving, report)


class Signature:
    """Name, attributes and volumes of a node, before another result was written to it."""

    def __init__(self, node: slicer.vtkMRMLNode) -> None:
        self._node, self._name = node, node.GetName()
        self._attributes = {name: node.GetAttribute(name) for name in node.GetAttributeNames()}
        self._volumes = {role: node.GetNodeReferenceID(role) for role in (FIXED, MOVING)}

    def restore(self) -> None:
        self._node.SetName(self._name)
        for role, volume in self._volumes.items():
            self._node.SetNodeReferenceID(role, volume)
        for name, value in self._attributes.items():
            self._node.SetAttribute(name, value)


def former(
    nodes: list[slicer.vtkMRMLNode],
    role: str,
    fixed: slicer.vtkMRMLNode,
    moving: slicer.vtkMRMLNode,
    transform: slicer.vtkMRMLTransformNode | None,
) -> slicer.vtkMRMLNode | None:
    """The node of an earlier result, if there is one, and it is not the user's own by now: that to which the transform
    of a registration refers in a role, or of an assessment, which has no transform, the first of some nodes that
    belongs to the two volumes."""
    if transform is not None:
        nodes = [node for node in [transform.GetNodeReference(role)] if node is not None]
    else:
        nodes = [node for node in nodes if isOf(node, fixed, moving)]
    return next((node for node in nodes if not ownnodes.isTheUsers(node)), None)
