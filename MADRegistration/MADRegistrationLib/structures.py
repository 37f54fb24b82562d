"""The structures of the fixed volume: on their way to the worker, and their errors as a table node.

Where segments overlap, the last one counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import slicer

from madreg.errors import InputError

from . import made, masks, table
from .before import FIXED, MOVING, VERSION
from .jobfiles import JobFiles
from .parameters import _
from .placement import isOf

KIND = "structures"
"""What the tables are marked as; see :mod:`made`."""


def describe(files: JobFiles, node: slicer.vtkMRMLNode | None, motion: np.ndarray) -> Iterator[None]:
    """Write the structures of a segmentation or a label map, a piece at a time; returns their description for the
    worker, or None if there is no node.

    Args:
        motion: 4x4, LPS mm of the world to the LPS mm that the description is in.

    Raises:
        InputError: if there are none, or they lie under a non-linear transform.
        OSError: if there is no space.
    """
    if node is None:
        return None
    image = masks.labelsOf(node)
    if image is None:
        raise InputError(f'"{node.GetName()}" has no structures: choose another segmentation, or none.')
    yield
    description = yield from files.writeImage(image.moved(motion), KIND)
    return {**description, "names": _namesOf(node)}


def _namesOf(node: slicer.vtkMRMLNode) -> dict[str, str]:
    """Names of the segments by their number, which follows their order; labels of a label map have none."""
    if not node.IsA("vtkMRMLSegmentationNode"):
        return {}
    segmentation = node.GetSegmentation()
    count = segmentation.GetNumberOfSegments()
    return {str(n + 1): segmentation.GetNthSegment(n).GetName() for n in range(count)}


def show(fixed: slicer.vtkMRMLNode, moving: slicer.vtkMRMLNode, report: dict[str, Any]) -> None:
    """Write the errors of the structures of a report into the table of two volumes, which is made if there is none."""
    if not report.get("structures"):
        return remove(fixed, moving)
    node = find(fixed, moving)
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
        made.mark(node, KIND)
        node.SetNodeReferenceID(FIXED, fixed.GetID())
        node.SetNodeReferenceID(MOVING, moving.GetID())
    node.SetAttribute(VERSION, str(report.get("madreg")))
    node.SetName(f"{moving.GetName()} to {fixed.GetName()} structures (MAD)")
    fill(node, report["structures"])


def fill(node: slicer.vtkMRMLTableNode, structures: list[dict[str, Any]]) -> None:
    """Replace the contents of a table by one row for each structure."""
    node.RemoveAllColumns()
    table.addColumn(node, _("Structure"), [one["name"] for one in structures])
    for name, key, factor in (
        (_("Volume (ml)"), "volume_ml", 1),
        (_("Mean error (mm)"), "mean_mm", 1),
        (_("Mean error at most, in 95 % of cases (mm)"), "bound_mm", 1),
        (_("Largest local error (mm)"), "largest_mm", 1),
        (_("Assessed (%)"), "known", 100),
    ):
        values = [one.get(key) for one in structures]
        table.addColumn(node, name, [_("unknown") if value is None else f"{factor * value:.1f}" for value in values])


def find(fixed: slicer.vtkMRMLNode, moving: slicer.vtkMRMLNode) -> slicer.vtkMRMLTableNode | None:
    """The table of two volumes, if there is one."""
    nodes = slicer.util.getNodesByClass("vtkMRMLTableNode")
    found = [node for node in nodes if node.GetAttribute(made.KIND) == KIND and isOf(node, fixed, moving)]
    return found[0] if found else None


def remove(fixed: slicer.vtkMRMLNode, moving: slicer.vtkMRMLNode) -> None:
    """Take the table of two volumes out of the scene."""
    node = find(fixed, moving)
    if node is not None:
        node.GetScene().RemoveNode(node)
