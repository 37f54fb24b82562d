"""The rules of the panel, put together: selection, what runs, its result, many at once, looking at it.  No Qt in here.

The widget is a thin :class:`View`; it forwards what the user does, and calls :meth:`Panel.poll` by a timer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from madreg.errors import InputError

from . import edges, layouts, made, saved, tint, views
from .batch import Batch, BatchView
from .client import WorkerClient
from .comparison import SceneComparison
from .edges import SceneEdges
from .inputs import Inputs
from .inspection import Inspection, InspectionView
from .parameters import _, settingsOf
from .plots import ConvergencePlot
from .registration import SceneRegistration
from .result import Result, ResultView
from .run import Run, RunView
from .selection import Selection, SelectionView
from .snapshot import Snapshot
from .watch import Watch

FAR_MM = 10.0
"""The views are centered anew after a registration that moved the volume by more."""


class View(SelectionView, RunView, ResultView, BatchView, InspectionView, Protocol):
    """What the widget can show."""

    def setRevertEnabled(self, isEnabled: bool) -> None: ...
    def setPlotEnabled(self, isEnabled: bool) -> None: ...
    def setDevices(self, choices: list[tuple[str, str]], current: str) -> None: ...

    def setLog(self, text: str) -> None: ...

    def poll(self) -> None:
        """Call :meth:`Panel.poll` from now on, as long as there is something to do."""


class Panel:
    """Everything behind the widgets.

    Args:
        view: shows things.
        client: the worker.
        ensureTorch: makes sure that torch is there, asking the user; raises InputError if it is not.
    """

    def __init__(self, view: View, client: WorkerClient, ensureTorch: Callable[[], None]) -> None:
        self._view, self._client, self._ensureTorch = view, client, ensureTorch
        self.selection = Selection(view)
        self.batch = Batch(view, self.selection)
        self.result = Result(view)
        self.inspection = Inspection(view)
        self.run = Run(view, client, self._onNext, self._onEnd)
        self._snapshot: Snapshot | None = None
        self._plot = ConvergencePlot()
        self._watch = Watch(self._onSceneChanged)

    @property
    def isRunning(self) -> bool:
        return self.run.isRunning

    @property
    def needsPolling(self) -> bool:
        """Whether :meth:`poll` has anything to do."""
        return self.run.needsPolling or (self._client.isStarted and not self._client.isReady)

    def setParameters(self, parameters: Any) -> None:
        """Use another parameter node, or None while there is no scene."""
        self.selection.parameters = parameters
        self.update()

    def _onSceneChanged(self) -> None:
        if not self.isRunning:
            self.update()

    def update(self) -> None:
        """Show what there is; called whenever something has changed."""
        fixed, moving = self.selection.fixed, self.selection.moving
        self._watch.watch((fixed, moving))
        if self.isRunning:
            self._view.setButton(_("Cancel"), True, "")
        else:
            self.selection.update()
            self._updateDevices()
        self.batch.update(self.isRunning)
        self.result.update(fixed, moving, self.isRunning)
        self.inspection.update(fixed, moving, self.isRunning)
        self._view.setRevertEnabled(self.canRevert)
        self._view.setPlotEnabled(not self.isRunning and self._plottable() is not None)

    def _updateDevices(self) -> None:
        """Show the devices that the worker has found; before it has run, what every computer has."""
        if self.selection.parameters is None:
            return
        found = [(device["name"], device["text"]) for device in self._client.devices] or [("cpu", "CPU")]
        choices = [("auto", _("Automatic (the fastest)")), *found]
        current = self.selection.parameters.device or "auto"
        if current not in [name for name, _text in choices]:
            choices.append((current, current))  # saved with the scene on another computer
        self._view.setDevices(choices, current)

    # --- registering ---------------------------------------------------------------------------------------------

    def onButton(self) -> None:
        """Register, or cancel what runs."""
        if self.isRunning:
            self.cancel()
        elif self.selection.parameters is not None and not self.selection.button()[1]:
            self._begin([self.selection.inputs()], isBatch=False)

    def onBatchButton(self) -> None:
        """Register every ticked volume to the fixed one."""
        if self.isRunning or self.batch.whyNot():
            return
        try:
            queue = self.batch.queue()
        except InputError as error:
            return self._view.setMessage(str(error), True)
        self._begin(queue, isBatch=True)

    def _begin(self, queue: list[Inputs], isBatch: bool) -> None:
        self.inspection.stopFlicker()
        agreed = [self.selection.agreed(inputs) for inputs in queue]
        if None in agreed:
            return self._view.setMessage(_("Nothing was changed: choose another output transform."), False)
        try:
            self._ensureTorch()
        except InputError as error:
            return self._view.setMessage(str(error), True)
        self._view.setMessage("", False)
        self.inspection.hideOverlay()
        self.result.keep(None)
        self._snapshot = Snapshot()
        parameters = self.selection.parameters
        self.run.register(agreed, settingsOf(parameters), parameters.followProgress, isBatch)

    def _onNext(self, registration: SceneRegistration) -> None:
        """A registration has begun."""
        if layouts.showSlices():
            self._view.setMessage(_("The layout was changed to one with slice views."), False)
        if not views.isShown(registration.fixed, registration.moving):  # else the user's zoom and blend stay
            views.show(registration.fixed, registration.moving)
        self._view.setOpacity(views.opacity())
        self.update()

    def _onEnd(self) -> None:
        """Nothing runs any more."""
        done = self.run.done
        if not done and self._snapshot is not None:
            self._snapshot.restore()
        if self.run.isBatch:
            text = self.batch.show(self.run.registrations)
            if all(one.state != "failed" for one in self.run.registrations):
                self._view.setMessage(text, False)
        elif done:
            self.result.keep(done[-1])
            if done[-1].isApplied and self.selection.parameters is not None:
                self.selection.parameters.outputTransform = done[-1].transform
                self.update()
                self._showResult(done[-1].report["moved_mm"])
        self.update()

    def _showResult(self, movedMm: float) -> None:
        """Bring the chosen pair into view, in its colors and with edges."""
        self.inspection.showResult(isFar=movedMm > FAR_MM)
        self.onEdges(True)

    def poll(self) -> None:
        """Let things go on; called by a timer while :attr:`needsPolling`."""
        wasReady = self._client.isReady
        if self.run.needsPolling:
            self.run.poll()
            edges.follow(self.selection.moving)
        else:
            self._client.poll()
        if self._client.isReady and not wasReady:
            self._updateDevices()

    def cancel(self) -> None:
        """Stop what runs, at once, and put its volume back."""
        if not self.isRunning:
            return
        text = _("Cancelled: what was finished stays.") if self.run.isBatch else _("Cancelled: nothing was changed.")
        self.run.cancel()
        self._view.setMessage(text, False)

    # --- the way back --------------------------------------------------------------------------------------------

    def onAttempt(self) -> None:
        """Show a result whose verdict is failed, or put the moving volume back."""
        try:
            self.result.onAttempt(self.selection.fixed, self.selection.moving)
        except InputError as error:
            self._view.setMessage(str(error), True)
        self.update()

    @property
    def canRevert(self) -> bool:
        return bool(self._revertible())

    def _revertible(self) -> list[SceneRegistration] | list[saved.SavedRegistration]:
        """What Revert goes back on: the last run, or what is left of it in a scene that was saved and loaded."""
        if self.isRunning or self.selection.parameters is None:
            return []
        return [one for one in self.run.registrations if one.canRevert] or saved.newest()

    def onRevert(self) -> None:
        """Put everything back to what it was before the last run."""
        self.inspection.stopFlicker()
        self.inspection.hideOverlay()
        overwritten, parameters = [], self.selection.parameters
        for registration in reversed(self._revertible()):
            if registration.madeTransform and parameters.outputTransform is registration.transform:
                parameters.outputTransform = None
            if registration.overwritten is not None:
                overwritten.append(registration.overwritten.GetName())
            tint.hide(registration.moving)
            registration.revert()
        if self._snapshot is not None:
            self._snapshot.restore()
            self._snapshot = None
        made.removePictures()
        self._plot.remove()
        self.batch.forget(removeTable=True)
        self._view.setOpacity(views.opacity())
        self._view.setMessage(
            _("Everything is as it was before the registration.")
            if not overwritten
            else _(
                "Everything is as it was before the registration, "
                'but "{name}" stays resampled: what it showed before was not saved.'
            ).format(name='", "'.join(overwritten)),
            False,
        )
        self.update()

    # --- pictures ------------------------------------------------------------------------------------------------

    def _plottable(self) -> SceneRegistration | None:
        """The registration whose convergence can be shown: the last one."""
        return next((one for one in reversed(self.run.done) if one.moving.GetScene() is not None), None)

    def onPlot(self) -> None:
        """Show in a plot view how the last registration went."""
        if (done := self._plottable()) is not None:
            self._plot.show(done)

    def onLog(self) -> None:
        """Show what the worker has written."""
        self._view.setLog(self._client.log() or _("There is no log yet."))

    def onRow(self, row: int) -> None:
        """Show a pair of the table of many."""
        moving = self.batch.volumeOf(row)
        if self.isRunning or moving is None or self.selection.parameters is None:
            return
        self.selection.parameters.movingVolume = moving
        self.update()
        self._showResult(0.0)
        self.update()

    def onEdges(self, isOn: bool) -> None:
        """The button of the edges goes down or up; they are made the first time."""
        if self.isRunning or self.selection.moving is None:
            return
        if not isOn:
            return self.inspection.hideOverlay()
        if not self.inspection.showEdges():
            job = SceneEdges(self._client, self.selection.moving)
            self._start(lambda: self.run.doAside(job, self.inspection.showEdges))

    def onCheckerboard(self, isOn: bool) -> None:
        """The button of the checkerboard goes down or up; it shows the two as they lie now."""
        if self.isRunning or self.selection.parameters is None:
            return
        if not isOn:
            return self.inspection.showPair()
        fixed, moving = self.selection.fixed, self.selection.moving
        job = SceneComparison(self._client, fixed, moving, onProgress=self.run.showProgress)
        self._view.setMessage("", False)
        self._start(lambda: self.run.do(job, lambda: self._onCompared(job)))
        self.update()

    def _start(self, start: Callable[[], None]) -> None:
        """Start a job of the worker, or say why not."""
        try:
            self._ensureTorch()
            start()
        except InputError as error:
            self._view.setMessage(str(error), True)
        self._view.poll()

    def _onCompared(self, job: SceneComparison) -> None:
        if job.state == "done":
            self.inspection.showComparison(job.node)
        self.update()

    # --- scene and application -----------------------------------------------------------------------------------

    def onSceneStartClose(self) -> None:
        """Stop everything that belongs to the scene that is about to go."""
        self.cancel()
        self.run.forget()
        self.batch.forget()
        self._plot.forget()
        self.batch.volumes, self._snapshot = [], None
        self.result.keep(None)
        self.setParameters(None)
        self._watch.stop()
        self._view.setMessage("", False)

    def close(self) -> None:
        """Slicer closes, or the module is reloaded: no process and no file stays."""
        self.cancel()
        self._watch.stop()
        self._client.stop()
