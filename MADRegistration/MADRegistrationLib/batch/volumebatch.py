"""Many moving volumes to one fixed one: which, with which masks, and the table of their results."""

from __future__ import annotations

from typing import Protocol

import slicer

from madreg.system.lengths import millimeters

from ..inputs import Inputs
from ..jobs.registration import SceneRegistration
from ..results import verdict
from ..scene import masks, volumes
from ..selection.selection import Selection
from ..translation import _
from . import batchtable
from .tablerow import Row


class BatchView(Protocol):
    """What the widget can show of it."""

    def setBatchButton(self, text: str, isEnabled: bool, reason: str) -> None: ...
    def setBatchRows(self, rows: list[Row]) -> None: ...


class VolumeBatch:
    """The list of volumes, and what has become of them.

    Attributes:
        volumes: the ticked ones.
        registrations: of the last run.
        table: node with all numbers of the last run.
    """

    def __init__(self, view: BatchView, selection: Selection) -> None:
        self._view, self._selection = view, selection
        self.volumes: list[slicer.vtkMRMLScalarVolumeNode] = []
        self.registrations: list[SceneRegistration] = []
        self.table: slicer.vtkMRMLTableNode | None = None

    def update(self, isRunning: bool) -> None:
        """Show what the button would do."""
        if isRunning:
            self._view.setBatchButton(_("Register all"), False, "")
        else:
            reason, number = self.whyNot(), len(self._chosen())
            text = _("Register {number} volumes").format(number=number) if number > 1 else _("Register all")
            self._view.setBatchButton(text, not reason, reason)

    def whyNot(self) -> str:
        """Why the button is disabled; empty if it is not."""
        if self._selection.parameters is None:
            return _("There is no scene.")
        fixed = self._selection.fixed
        reason = volumes.whyNotVolume(fixed)
        if reason:
            return _("Choose a fixed volume.") if fixed is None else reason
        return "" if self._chosen() else _("Tick the moving volumes.")

    def _chosen(self) -> list[slicer.vtkMRMLScalarVolumeNode]:
        fixed = self._selection.fixed
        return [node for node in self.volumes if node.GetScene() is not None and node is not fixed]

    def queue(self) -> list[Inputs]:
        """What there is to register.

        Raises:
            InputError: if two nodes could be the mask of one volume.
        """
        parameters = self._selection.parameters
        return [
            self._selection.withDrawn(Inputs(parameters.fixedVolume, moving, parameters.fixedMask, self._mask(moving)))
            for moving in self._chosen()
        ]

    def _mask(self, moving: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLNode | None:
        """The mask chosen above belongs to the moving volume chosen above; all others go by name."""
        parameters = self._selection.parameters
        if moving is parameters.movingVolume and parameters.movingMask is not None:
            return parameters.movingMask
        return masks.ofVolume(moving)

    def show(self, registrations: list[SceneRegistration]) -> str:
        """Fill the tables; returns a sentence for the panel."""
        self.registrations = registrations
        if self.table is None or self.table.GetScene() is None:
            self.table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "MAD registrations")
        batchtable.fill(self.table, registrations)
        self._view.setBatchRows([_rowOf(one) for one in registrations])
        done = sum(one.state == "done" and not one.isAttempt for one in registrations)
        return _("{done} of {all} volumes registered.").format(done=done, all=len(registrations))

    def volumeOf(self, row: int) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The moving volume of a line of the table, if it is still there."""
        moving = self.registrations[row].moving if row < len(self.registrations) else None
        return None if moving is None or moving.GetScene() is None else moving

    def forget(self, removeTable: bool = False) -> None:
        """The results are taken back, or the scene goes."""
        if removeTable and self.table is not None and self.table.GetScene() is not None:
            self.table.GetScene().RemoveNode(self.table)
        self.registrations, self.table = [], None
        self._view.setBatchRows([])


def _rowOf(registration: SceneRegistration) -> Row:
    word = batchtable.verdictOf(registration)
    report = registration.report
    remark = registration.message or " ".join(report.get("notices", []))
    error = millimeters(report["error_after_mm"]) if report else ""
    return Row(word.upper(), verdict.COLORS.get(word, ""), registration.moving.GetName(), error, remark)
