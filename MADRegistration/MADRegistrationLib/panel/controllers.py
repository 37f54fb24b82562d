"""The controllers of all sections of the panel, and the order in which they show what there is."""

from __future__ import annotations

from collections.abc import Callable

from ..batch.filebatch import FileBatch
from ..batch.volumebatch import VolumeBatch
from ..inspection.inspection import Inspection
from ..inspection.pictures import Pictures
from ..messages import Messages
from ..run.run import Run
from ..selection.devices import Devices
from ..selection.selection import Selection
from ..translation import _
from ..worker.client import WorkerClient
from .result import Result
from .revert import Revert
from .view import View


class Controllers:
    """One for each section of the panel, and for the message line.

    Args:
        ensureTorch: makes sure that torch is there; raises InputError if it is not.
    """

    def __init__(self, view: View, client: WorkerClient, ensureTorch: Callable[[], None]) -> None:
        self._view = view
        self.messages = Messages(view.messages)
        self.selection = Selection(view.selection)
        self.devices = Devices(view.selection, client, self.selection)
        self.batch = VolumeBatch(view.batch, self.selection)
        self.result = Result(view.result)
        self.inspection = Inspection(view.inspection, self.messages)
        self.run = Run(view.run, self.messages, client)
        self.files = FileBatch(
            view.files, self.messages, client, self.selection, self.run, ensureTorch, onChange=self.update
        )
        self.revert = Revert(view.result, self.messages, self.selection, self.run)
        self.pictures = Pictures(
            view.result,
            self.messages,
            client,
            self.selection,
            self.run,
            self.inspection,
            ensureTorch,
            onChange=self.update,
        )

    def update(self) -> None:
        """Show what there is."""
        fixed, moving, isRunning = self.selection.fixed, self.selection.moving, self.run.isRunning
        self.messages.follow((fixed, moving))
        if isRunning:
            self._view.selection.setButton(_("Cancel"), True, "")
            self._view.selection.setAssessEnabled(False)
        else:
            self.selection.update()
            self.devices.update()
        self.batch.update(isRunning)
        self.files.update(isRunning)
        self.result.update(fixed, moving, isRunning)
        self.inspection.update(fixed, moving, isRunning)
        self.revert.update()
        self.pictures.update()
