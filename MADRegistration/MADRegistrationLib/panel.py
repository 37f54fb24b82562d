"""The rules of the panel, put together: selection, what runs, its result, many at once, looking at it.  No Qt in here.

The widget is a thin :class:`View`; it forwards what the user does, and calls :meth:`Panel.poll` by a timer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from madreg.errors import InputError

from . import errormap, saved, views
from .batch import Batch, BatchView
from .client import WorkerClient
from .comparison import SceneComparison
from .inputs import Inputs
from .inspection import Inspection, InspectionView
from .parameters import _, settingsOf
from .registration import SceneRegistration
from .result import Result, ResultView
from .run import Run, RunView
from .selection import Selection, SelectionView


class View(SelectionView, RunView, ResultView, BatchView, InspectionView, Protocol):
    """What the widget can show."""

    def setRevertEnabled(self, isEnabled: bool) -> None: ...
    def setPlotEnabled(self, isEnabled: bool) -> None: ...
    def setDevices(self, choices: list[tuple[str, str]], current: str) -> None: ...


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
        self._layers: views.Layers | None = None
        self._plot: dict[str, Any] = {}

    @property
    def isRunning(self) -> bool:
        return self.run.isRunning

    @property
    def needsPolling(self) -> bool:
        """Whether :meth:`poll` has anything to do."""
        return self.isRunning or (self._client.isStarted and not self._client.isReady)

    def setParameters(self, parameters: Any) -> None:
        """Use another parameter node, or None while there is no scene."""
        self.selection.parameters = parameters
        self.update()

    def update(self) -> None:
        """Show what there is; called whenever something has changed."""
        fixed, moving = self.selection.fixed, self.selection.moving
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
        self.inspection.onFlickerToggled(False)
        agreed = [self.selection.agreed(inputs) for inputs in queue]
        if None in agreed:
            return self._view.setMessage(_("Nothing was changed: choose another output transform."), False)
        try:
            self._ensureTorch()
        except InputError as error:
            return self._view.setMessage(str(error), True)
        self._view.setMessage("", False)
        errormap.hideAll()
        self.result.keep(None)
        self._layers = views.Layers.now()
        parameters = self.selection.parameters
        self.run.register(agreed, settingsOf(parameters), parameters.followProgress, isBatch)

    def _onNext(self, registration: SceneRegistration) -> None:
        """A registration has begun."""
        if not views.isShown(registration.fixed, registration.moving):  # else the user's zoom and blend stay
            views.show(registration.fixed, registration.moving)
        self._view.setOpacity(views.opacity())
        self.update()

    def _onEnd(self) -> None:
        """Nothing runs any more."""
        done, parameters = self.run.done, self.selection.parameters
        if self.run.isBatch:
            text = self.batch.show(self.run.registrations)
            if all(one.state != "failed" for one in self.run.registrations):
                self._view.setMessage(text, False)
        elif done:
            self.result.keep(done[-1])
            if parameters is not None and done[-1].isApplied:
                parameters.outputTransform = done[-1].transform
        if not done and self._layers is not None:
            self._layers.restore()
        self.update()

    def poll(self) -> None:
        """Let things go on; called by a timer while :attr:`needsPolling`."""
        wasReady = self._client.isReady
        if self.isRunning:
            self.run.poll()
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
        overwritten, parameters = [], self.selection.parameters
        for registration in reversed(self._revertible()):
            if registration.madeTransform and parameters.outputTransform is registration.transform:
                parameters.outputTransform = None
            if registration.overwritten is not None:
                overwritten.append(registration.overwritten.GetName())
            registration.revert()
        if self._layers is not None:
            self._layers.restore()
            self._layers = None
        self.batch.forget(removeTable=True)
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
        return next(reversed(self.run.done), None)

    def onPlot(self) -> None:
        """Show in a plot view how the last registration went."""
        done = self._plottable()
        if done is None:
            return
        if any(node.GetScene() is None for node in (self._plot.get("chart"), self._plot.get("table")) if node):
            self._plot = {}
        views.plotConvergence(
            done.convergence(), _("Registration of {name}").format(name=done.moving.GetName()), self._plot
        )

    def onCompare(self, kind: str) -> None:
        """Make and show a ``checkerboard`` or the ``edges`` of the two volumes as they lie now."""
        if self.isRunning or self.selection.parameters is None:
            return
        fixed, moving = self.selection.fixed, self.selection.moving
        comparison = SceneComparison(self._client, fixed, moving, kind, onProgress=self.run.showProgress)
        self._view.setMessage("", False)
        try:
            self._ensureTorch()
            self.run.do(comparison, lambda: self._onCompared(comparison))
        except InputError as error:
            return self._view.setMessage(str(error), True)
        self.update()

    def _onCompared(self, comparison: SceneComparison) -> None:
        if comparison.state == "done":
            views.show(comparison.node, None, fit=not views.isShown(comparison.fixed, comparison.moving))
        self.update()

    # --- scene and application -----------------------------------------------------------------------------------

    def onSceneStartClose(self) -> None:
        """Stop everything that belongs to the scene that is about to go."""
        self.cancel()
        self.run.forget()
        self.batch.forget()
        self.batch.volumes, self._layers, self._plot = [], None, {}
        self.result.keep(None)
        self.setParameters(None)
        self._view.setMessage("", False)

    def close(self) -> None:
        """Slicer closes, or the module is reloaded: no process and no file stays."""
        self.cancel()
        self._client.stop()
