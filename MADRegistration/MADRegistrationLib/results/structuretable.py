"""The errors of the structures of the fixed volume, as a table node.

It is kept as an error map is (:mod:`errormap`): it refers to both volumes, and the transform of a registration refers
to its table, so that it goes with Revert also after the scene was saved and loaded.
"""

from __future__ import annotations

from typing import Any

import slicer
import vtk

from madreg.system.lengths import rounded

from ..scene import ownnodes
from ..scene.attributes import STRUCTURES
from ..scene.ownnodes import marked
from ..scene.tablecolumns import addColumn
from ..translation import _
from . import resultnode
from .resultnode import Signature, nameOf, sign

CLASS = "vtkMRMLTableNode"
KIND, ASSESSED = "structures", "assessed structures"
"""What the tables of registrations and those of assessments are marked as; see :mod:`ownnodes`."""


class StructureTable:
    """The table of a registration or an assessment, made by :meth:`put` and taken away by :meth:`remove`.

    Args:
        report: as of :mod:`report`; without structures there is no table, and a former one leaves the scene.
    """

    def __init__(self, report: dict[str, Any]) -> None:
        self._report = report
        self._node: slicer.vtkMRMLTableNode | None = None
        self._former: _Former | None = None

    def put(
        self,
        fixed: slicer.vtkMRMLScalarVolumeNode,
        moving: slicer.vtkMRMLScalarVolumeNode,
        transform: slicer.vtkMRMLLinearTransformNode | None = None,
    ) -> None:
        """Write it into the scene; a former table is overwritten and renamed.

        Args:
            transform: of the registration, which refers to the table; None for an assessment.
        """
        former = resultnode.former(marked(CLASS, ASSESSED), STRUCTURES, fixed, moving, transform)
        self._former = None if former is None else _Former(former)
        if not self._report.get("structures"):
            if former is not None:
                former.GetScene().RemoveNode(former)
            return
        node = self._node = former or slicer.mrmlScene.AddNewNodeByClass(CLASS)
        node.SetName(nameOf("structures", fixed, moving, transform))
        fill(node, self._report["structures"])
        sign(node, fixed, moving, self._report)
        if transform is not None:
            transform.SetNodeReferenceID(STRUCTURES, node.GetID())
        ownnodes.mark(node, ASSESSED if transform is None else KIND)  # in the end, as of an error map

    def remove(self) -> None:
        """Take it out of the scene, or give the scene back the table that was there before."""
        if self._node is not None and self._node.GetScene() is None:  # the user has removed it
            return
        if self._former is not None:
            self._former.restore()
        elif self._node is not None:
            self._node.GetScene().RemoveNode(self._node)


class _Former:
    """What a table was before another one was written to it, or before it left the scene."""

    def __init__(self, node: slicer.vtkMRMLTableNode) -> None:
        self._node, self._scene, self._signature = node, node.GetScene(), Signature(node)
        self._contents = vtk.vtkTable()
        self._contents.DeepCopy(node.GetTable())

    def restore(self) -> None:
        if self._node.GetScene() is None:
            self._scene.AddNode(self._node)
        self._node.SetAndObserveTable(self._contents)
        self._signature.restore()


def fill(node: slicer.vtkMRMLTableNode, structures: list[dict[str, Any]]) -> None:
    """Replace the contents of a table by one row for each structure."""
    node.RemoveAllColumns()
    addColumn(node, _("Structure"), [one["name"] for one in structures])
    for name, key, factor in (
        (_("Volume (ml)"), "volume_ml", 1),
        (_("Mean error (mm)"), "mean_mm", 1),
        (_("Mean error at most, in 95 % of cases (mm)"), "bound_mm", 1),
        (_("Largest local error (mm)"), "largest_mm", 1),
        (_("Assessed (%)"), "known", 100),
    ):
        values = [one.get(key) for one in structures]
        addColumn(node, name, [_("unknown") if value is None else rounded(factor * value) for value in values])


def tables() -> list[slicer.vtkMRMLTableNode]:
    """All tables of structures in the scene."""
    return marked(CLASS, KIND, ASSESSED)
