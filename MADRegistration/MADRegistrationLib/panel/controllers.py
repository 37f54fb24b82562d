"""The parts of the panel, and the order in which they show what there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..batch.filebatch import FileBatch, FilesView
from ..batch.volumebatch import BatchView, VolumeBatch
from ..inspection.inspection import Inspection, InspectionView
from ..inspection.pictures import Pictures, PicturesView
from ..messages import Messages, MessageView
from ..run.run import Run, RunView
from ..selection.devices import Devices, DevicesView
from ..selection.parameters import _
from ..selection.selection import Selection, SelectionView
from ..worker.client import WorkerClient
from .result import Result, ResultView
from .revert import Revert, RevertView


class InputView(SelectionView, DevicesView, Protocol):
    """What is shown of the inputs."""


class OutcomeView(ResultView, RevertView, PicturesView, Protocol):
    """What is shown of the result."""


class View(Protocol):
    """What the widget can show, part by part."""

    messages: MessageView
    selection: InputView
    run: RunView
    result: OutcomeView
    batch: BatchView
    files: FilesView
    inspection: InspectionView


class Controllers:
    """Everything that the panel is made of.

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
