"""Nodes that this module has made and that have become meaningless: they leave the scene with what they showed."""

from __future__ import annotations

import slicer

from madreg.errors import InputError

from ..scene import ownnodes
from ..scene.attributes import ERROR_MAP, FIXED, FORMER_ERROR_MAP, MOVING, STRUCTURES, references
from ..views import checkerboard, edges
from . import errormap, storedreport, structuretable


def find() -> list[slicer.vtkMRMLNode]:
    """The edges and checkerboards of volumes that are gone, and the error maps and tables of structures

    - of which a volume is gone;
    - of registrations whose transform is gone, unless both volumes still lie where it has put them;

    but none that the user has copied or renamed.
    """
    kept = _ofTransforms()
    found = [*errormap.maps(), *structuretable.tables()]
    gone = _pictures() + [node for node in found if node.GetID() not in kept and not _holds(node)]
    return [node for node in gone if not ownnodes.isTheUsers(node)]


def remove() -> None:
    """Remove what :func:`find` finds.  Not to be called while a node is being removed: Slicer would crash."""
    for node in find():
        if node.IsA("vtkMRMLTableNode"):
            node.GetScene().RemoveNode(node)
        else:
            (ownnodes if node.GetAttribute(ownnodes.KIND) in _SUBJECTS else errormap).remove(node)


_ASSESSED = errormap.ASSESSED, structuretable.ASSESSED

_SUBJECTS = {edges.KIND: edges.OF, checkerboard.KIND: checkerboard.OF}
"""Kinds of pictures, with the node reference to what they show."""


def _pictures() -> list[slicer.vtkMRMLScalarVolumeNode]:
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    pictures = [(node, _SUBJECTS.get(node.GetAttribute(ownnodes.KIND))) for node in nodes]
    return [node for node, role in pictures if role is not None and node.GetNodeReference(role) is None]


def _ofTransforms() -> set[str]:
    """IDs of the maps and tables to which a transform refers, so that they can come back."""
    return {
        one.GetID()
        for transform in slicer.util.getNodesByClass("vtkMRMLLinearTransformNode")
        for role in (ERROR_MAP, FORMER_ERROR_MAP, STRUCTURES)
        for one in references(transform, role)
    }


def _holds(node: slicer.vtkMRMLNode) -> bool:
    """Whether a map or a table without a transform still says something of two volumes."""
    fixed, moving = node.GetNodeReference(FIXED), node.GetNodeReference(MOVING)
    if fixed is None or moving is None or node.GetAttribute(ownnodes.KIND) in _ASSESSED:
        return fixed is not None and moving is not None
    try:
        found = storedreport.read(node, fixed, moving)
    except InputError:  # a non-linear transform
        return False
    return found is not None and found.isValid
