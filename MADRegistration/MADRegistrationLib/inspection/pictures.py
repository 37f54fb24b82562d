"""Pictures of the result that have to be made first: edges, checkerboard, convergence plot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from madreg.errors import InputError

from ..jobs.checkerboard import SceneCheckerboard
from ..jobs.edges import SceneEdges
from ..jobs.registration import SceneRegistration
from ..messages import Messages
from ..run.run import Run
from ..selection.selection import Selection
from ..views.convergenceplot import ConvergencePlot
from ..worker.client import WorkerClient
from .inspection import Inspection


class PicturesView(Protocol):
    """What the widget can show of it."""

    def setPlotEnabled(self, isEnabled: bool) -> None: ...


class Pictures:
    """The buttons of the pictures.

    Args:
        ensureTorch: makes sure that torch is there; raises InputError if it is not.
        onChange: called when something has begun or ended.
    """

    def __init__(
        self,
        view: PicturesView,
        messages: Messages,
        client: WorkerClient,
        selection: Selection,
        run: Run,
        inspection: Inspection,
        ensureTorch: Callable[[], None],
        onChange: Callable[[], None],
    ) -> None:
        self._view, self._messages, self._client, self._selection, self._run = view, messages, client, selection, run
        self._inspection, self._ensureTorch, self._onChange = inspection, ensureTorch, onChange
        self.plot = ConvergencePlot()

    def update(self) -> None:
        """Show what there is to be shown."""
        self._view.setPlotEnabled(not self._run.isRunning and self._plottable() is not None)

    def showResult(self, isFar: bool) -> None:
        """Bring the chosen pair into view, in its colors and with edges."""
        self._inspection.showResult(isFar)
        self.onEdges(True)

    def _plottable(self) -> SceneRegistration | None:
        """The registration whose convergence can be shown: the last one."""
        return next((one for one in reversed(self._run.queue.done) if one.moving.GetScene() is not None), None)

    def onPlot(self) -> None:
        """Show in a plot view how the last registration went."""
        if (done := self._plottable()) is not None:
            self.plot.show(done.history.convergence(), done.moving.GetName())

    def onEdges(self, isOn: bool) -> None:
        """The button of the edges goes down or up; they are made the first time."""
        if self._run.isRunning or self._selection.moving is None:
            return
        self._run.background.drop()
        if not isOn:
            return self._inspection.hideOverlay()
        if not self._inspection.showEdges():
            if self._inspection.errors.isShown:
                self._inspection.hideOverlay()
            job = SceneEdges(self._client, self._selection.moving)
            self._start(lambda: self._run.background.start(job, lambda: self._onEdges(job)))

    def _onEdges(self, job: SceneEdges) -> None:
        if job.moving is not self._selection.moving or job.moving.GetScene() is None:
            return  # nobody asks for them any more
        if job.state == "failed":
            self._sayWhyNot(job.message)
        elif self._inspection.errors.isShown:
            return  # the user has asked for the error map meanwhile
        elif not self._inspection.showEdges():
            self._onChange()  # the voxels were changed meanwhile: the button comes up

    def onCheckerboard(self, isOn: bool) -> None:
        """The button of the checkerboard goes down or up; it shows the two as they lie now."""
        if self._run.isRunning or self._selection.parameters is None:
            return
        if not isOn:
            return self._inspection.showPair()
        fixed, moving = self._selection.fixed, self._selection.moving
        job = SceneCheckerboard(self._client, fixed, moving, onProgress=self._run.showProgress)
        self._messages.setMessage("", False)
        self._start(lambda: self._run.do(job, lambda: self._onCompared(job)))
        self._onChange()

    def _start(self, start: Callable[[], None]) -> None:
        """Start a job of the worker, or say why not."""
        try:
            self._ensureTorch()
            start()
        except InputError as error:
            self._sayWhyNot(str(error))

    def _sayWhyNot(self, reason: str) -> None:
        """There is nothing to see: the button comes up again."""
        self._onChange()
        self._messages.setMessage(reason, True)

    def _onCompared(self, job: SceneCheckerboard) -> None:
        if job.state == "done":
            self._inspection.showComparison(job.node)
        self._onChange()
