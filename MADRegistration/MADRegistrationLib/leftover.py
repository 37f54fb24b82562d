"""Volumes that this module has made and that have become meaningless: they leave the scene with what they showed."""

from __future__ import annotations

import slicer

from madreg.errors import InputError

from . import comparison, edges, errormap, made, outcome
from .before import ERROR_MAP, FIXED, FORMER_ERROR_MAP, MOVING, references


def remove() -> None:
    """Remove the edges and checkerboards of volumes that are gone, and the error maps

    - of which a volume is gone;
    - of registrations whose transform is gone, unless both volumes still lie where it has put them.
    """
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        kind = node.GetAttribute(made.KIND)
        subject = {edges.KIND: edges.OF, comparison.KIND: comparison.OF}.get(kind)
        if subject is not None and node.GetNodeReference(subject) is None:
            made.remove(node)
    kept = _ofTransforms()
    for node in errormap.maps():
        if node.GetID() not in kept and not _holds(node):
            errormap.remove(node)


def _ofTransforms() -> set[str]:
    """IDs of the maps to which a transform refers, so that they can come back."""
    return {
        one.GetID()
        for transform in slicer.util.getNodesByClass("vtkMRMLLinearTransformNode")
        for role in (ERROR_MAP, FORMER_ERROR_MAP)
        for one in references(transform, role)
    }


def _holds(node: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """Whether a map without a transform still says something of two volumes."""
    fixed, moving = node.GetNodeReference(FIXED), node.GetNodeReference(MOVING)
    if fixed is None or moving is None or node.GetAttribute(made.KIND) == errormap.ASSESSED:
        return fixed is not None and moving is not None
    try:
        found = outcome.read(node, fixed, moving)
    except InputError:  # a non-linear transform
        return False
    return found is not None and found.isValid
