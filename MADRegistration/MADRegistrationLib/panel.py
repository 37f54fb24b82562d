"""The rules of the panel, put together: selection, what runs, its result, many at once, looking at it.  No Qt in here.

The widget is a thin :class:`View`; it forwards what the user does, and calls :meth:`Panel.poll` by a timer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from madreg.errors import InputError

from . import devices, edges, layouts, views
from .batch import Batch, BatchView
from .client import WorkerClient
from .inputs import Inputs
from .inspection import Inspection, InspectionView
from .parameters import _, settingsOf
from .pictures import Pictures, PicturesView
from .registration import SceneRegistration
from .result import Result, ResultView
from .revert import Revert, RevertView
from .run import Run, RunView
from .selection import Selection, SelectionView
from .watch import Watch

FAR_MM = 10.0
"""The views are centered anew after a registration that moved the volume by more."""


class View(SelectionView, RunView, ResultView, RevertView, BatchView, InspectionView, PicturesView, Protocol):
    """What the widget can show."""

    def setDevices(self, choices: list[tuple[str, str]], current: str) -> None: ...
    def setLog(self, text: str) -> None: ...


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
        self.revert = Revert(view, self.selection, self.run)
        self.pictures = Pictures(
            view, client, self.selection, self.run, self.inspection, ensureTorch, onChange=self.update
        )
        self._watch = Watch(self._onSceneChanged)

    @property
    def isRunning(self) -> bool:
        return self.run.isRunning

    @property
    def needsPolling(self) -> bool:
        """Whether :meth:`poll` has anything to do."""
        return self.run.needsPolling or (self._client.isStarted and not self._client.isReady)

    # --- what there is to be seen --------------------------------------------------------------------------------

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
        self.revert.update()
        self.pictures.update()

    def _updateDevices(self) -> None:
        if self.selection.parameters is not None:
            current = self.selection.parameters.device or "auto"
            self._view.setDevices(devices.choices(self._client.devices, current), current)

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
        self.revert.remember()
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
        done = self.run.queue.done
        if not done:
            self.revert.restoreViews()
        if self.run.isBatch:
            text = self.batch.show(self.run.queue.registrations)
            if all(one.state != "failed" for one in self.run.queue.registrations):
                self._view.setMessage(text, False)
        elif done:
            self.result.keep(done[-1])
            if done[-1].isApplied and self.selection.parameters is not None:
                self.selection.parameters.outputTransform = done[-1].transform
                self.update()
                self.pictures.showResult(isFar=done[-1].report["moved_mm"] > FAR_MM)
        self.update()

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

    # --- afterwards ----------------------------------------------------------------------------------------------

    def onAttempt(self) -> None:
        """Show a result whose verdict is failed, or put the moving volume back."""
        try:
            self.result.onAttempt(self.selection.fixed, self.selection.moving)
        except InputError as error:
            self._view.setMessage(str(error), True)
        self.update()

    def onRevert(self) -> None:
        """Put everything back to what it was before the last run."""
        self.inspection.stopFlicker()
        self.inspection.hideOverlay()
        self.revert.revert()
        self.pictures.plot.remove()
        self.batch.forget(removeTable=True)
        self.update()

    def onRow(self, row: int) -> None:
        """Show a pair of the table of many."""
        moving = self.batch.volumeOf(row)
        if self.isRunning or moving is None or self.selection.parameters is None:
            return
        self.selection.parameters.movingVolume = moving
        self.update()
        self.pictures.showResult(isFar=False)
        self.update()

    def onLog(self) -> None:
        """Show what the worker has written."""
        self._view.setLog(self._client.log() or _("There is no log yet."))

    # --- scene and application -----------------------------------------------------------------------------------

    def onSceneStartClose(self) -> None:
        """Stop everything that belongs to the scene that is about to go."""
        self.cancel()
        self.run.forget()
        self.batch.forget()
        self.batch.volumes = []
        self.pictures.plot.forget()
        self.revert.forget()
        self.result.keep(None)
        self.setParameters(None)
        self._watch.stop()
        self._view.setMessage("", False)

    def close(self) -> None:
        """Slicer closes, or the module is reloaded: no process and no file stays."""
        self.cancel()
        self._watch.stop()
        self._client.stop()
