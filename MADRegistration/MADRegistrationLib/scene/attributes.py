"""Attributes of nodes and references to other nodes, by which this module finds again what belongs together, also in a
scene that was saved and loaded."""

from __future__ import annotations

from collections.abc import Sequence

import slicer

ATTRIBUTE_PREFIX = "MADRegistration."
VERSION = ATTRIBUTE_PREFIX + "Version"
"""Attribute of all transforms and error maps that this module has made."""

FIXED = slicer.vtkMRMLTransformNode.GetFixedNodeReferenceRole()
MOVING = slicer.vtkMRMLTransformNode.GetMovingNodeReferenceRole()
"""Node references of these: the two volumes that they are of."""

ERROR_MAP = "MADRegistrationErrorMap"
FORMER_ERROR_MAP = "MADRegistrationFormerErrorMap"
STRUCTURES = "MADRegistrationStructures"
RESAMPLED = "MADRegistrationResampled"
"""Node references: what else the registration has made, see :mod:`errormap`, :mod:`structuretable` and
:mod:`savedregistration`, and the map of an earlier result where this one has none."""

WORST_MM, WORST_POINT = ATTRIBUTE_PREFIX + "WorstMm", ATTRIBUTE_PREFIX + "WorstPoint"
"""Attributes of an error map: the largest value, and where: x y z, RAS mm, below the parent transforms of the map."""

ALONG = "MADRegistrationAlong"
AGREED = "MADRegistrationAgreed"
LEFT_BEHIND = "MADRegistrationLeftBehind"
"""Node references, any number: what was put under the transform together with the moving volume; what it may carry,
because the user has agreed; what was drawn on the moving volume and did not move with it."""


def references(node: slicer.vtkMRMLNode, role: str) -> list[slicer.vtkMRMLNode]:
    """The nodes that a node refers to in a role; those that are gone are left out."""
    nodes = (node.GetNthNodeReference(role, n) for n in range(node.GetNumberOfNodeReferences(role)))
    return [one for one in nodes if one is not None]


def refer(node: slicer.vtkMRMLNode, role: str, others: Sequence[slicer.vtkMRMLNode]) -> None:
    """Replace the references of a node in a role."""
    setReferenceIds(node, role, [other.GetID() for other in others])


def setReferenceIds(node: slicer.vtkMRMLNode, role: str, ids: Sequence[str]) -> None:
    """The same by the IDs of the nodes."""
    node.RemoveNodeReferenceIDs(role)
    for one in ids:
        node.AddNodeReferenceID(role, one)
