"""The rules of the panel: what the button says and when, what runs, what a closing scene does.  No Qt in here.

Looking at the result is the business of :mod:`inspection`.

The widget is a thin :class:`View`; it forwards what the user does, and calls :meth:`Panel.poll` by a timer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import slicer

from madreg.errors import InputError

from . import errormap, masks, saved, table, verdict, views, volumes
from .client import WorkerClient
from .comparison import SceneComparison
from .inspection import Inspection, InspectionView
from .job import Progress, SceneJob
from .parameters import _, presetOf, settingsOf
from .registration import Inputs, SceneRegistration, newRun

STAGES = {
    "preparing": "Preparing the volumes",
    "starting": "Starting the registration process (a few seconds, the first time)",
    "search": "Searching every pose",
    "matches": "Following the network's matches",
    "candidates": "Comparing the best poses",
    "size": "Bringing the poses to size",
    "coarse": "Refining, coarse",
    "medium": "Refining, medium",
    "fine": "Refining, fine",
    "estimate": "Estimating the error",
}


class View(InspectionView, Protocol):
    """What the widget can show."""

    def setButton(self, text: str, isEnabled: bool, toolTip: str) -> None: ...
    def setBatchButton(self, text: str, isEnabled: bool, toolTip: str) -> None: ...
    def setMessage(self, text: str, isError: bool) -> None: ...
    def setProgress(self, text: str, percent: int | None) -> None: ...
    def setResult(self, html: str) -> None: ...
    def setRevertEnabled(self, isEnabled: bool) -> None: ...
    def setPlotEnabled(self, isEnabled: bool) -> None: ...
    def setBusy(self, isBusy: bool) -> None: ...
    def setDevices(self, choices: list[tuple[str, str]], current: str) -> None: ...
    def setPreset(self, preset: Any) -> None: ...


class Panel:
    """Everything behind the widgets.

    Args:
        view: shows things.
        client: the worker.
        ensureTorch: makes sure that torch is there, asking the user; raises InputError if it is not.
    """

    def __init__(self, view: View, client: WorkerClient, ensureTorch: Callable[[], None]) -> None:
        self._view, self._client, self._ensureTorch = view, client, ensureTorch
        self._parameters: Any = None
        self._layers: views.Layers | None = None
        self._queue: list[Inputs] = []
        self._current: SceneJob | None = None
        self.finished: list[SceneRegistration] = []
        self.batchVolumes: list[slicer.vtkMRMLScalarVolumeNode] = []
        self.table: slicer.vtkMRMLTableNode | None = None
        self._isBatch = False
        self._plot: dict[str, Any] = {}
        self.inspection = Inspection(view)

    # --- what the user sees of the inputs ------------------------------------------------------------------------

    @property
    def isRunning(self) -> bool:
        return self._current is not None

    @property
    def needsPolling(self) -> bool:
        """Whether :meth:`poll` has anything to do."""
        return self.isRunning or (self._client.isStarted and not self._client.isReady)

    def setParameters(self, parameters: Any) -> None:
        """Use another parameter node, or None while there is no scene."""
        self._parameters = parameters
        self.update()

    def update(self) -> None:
        """Show what the parameters allow; called whenever they change."""
        parameters = self._parameters
        self._view.setRevertEnabled(self.canRevert)
        self._view.setPlotEnabled(not self.isRunning and self._plottable() is not None)
        fixed, moving = (None, None) if parameters is None else (parameters.fixedVolume, parameters.movingVolume)
        self.inspection.update(fixed, moving, self.isRunning)
        if self.isRunning:
            self._view.setButton(_("Cancel"), True, _("Stop at once and put everything back as it was."))
            self._view.setBatchButton(_("Cancel"), True, _("Stop at once; what is finished stays."))
            return
        if parameters is None:
            self._view.setButton(_("Register"), False, _("There is no scene."))
            self._view.setBatchButton(_("Register all"), False, _("There is no scene."))
            return
        self._view.setButton(*self._button())
        self._view.setBatchButton(*self._batchButton())
        self._view.setPreset(presetOf(parameters))
        self.updateDevices()

    def _button(self) -> tuple[str, bool, str]:
        """Text, whether enabled, and tooltip of the one button."""
        fixed, moving = self._parameters.fixedVolume, self._parameters.movingVolume
        if fixed is None:
            return _("Choose a fixed volume"), False, _("The volume that stays where it is.")
        if moving is None:
            return _("Choose a moving volume"), False, _("The volume that is brought to the fixed one.")
        for node, text in ((fixed, _("Fixed volume cannot be used")), (moving, _("Moving volume cannot be used"))):
            reason = volumes.whyNotVolume(node)
            if reason:
                return text, False, reason
        try:
            self._inputs(moving).check()
        except InputError as error:
            text = _("Choose two different volumes") if fixed is moving else _("Choose another resampled volume")
            return text, False, str(error)
        return _("Register"), True, _("Bring the moving volume to the fixed one.")

    def _batchButton(self) -> tuple[str, bool, str]:
        fixed = self._parameters.fixedVolume
        number = len(self._batch())
        if fixed is None or volumes.whyNotVolume(fixed):
            return _("Choose a fixed volume"), False, _("All moving volumes are brought to the one fixed volume.")
        if not number:
            return _("Choose moving volumes"), False, _("Tick the volumes to bring to the fixed one.")
        text = _("Register one volume") if number == 1 else _("Register {number} volumes").format(number=number)
        return text, True, _("Bring each ticked volume to the fixed one; a table shows the results.")

    def _batch(self) -> list[slicer.vtkMRMLScalarVolumeNode]:
        fixed = self._parameters.fixedVolume
        return [node for node in self.batchVolumes if node.GetScene() is not None and node is not fixed]

    def _batchMask(self, moving: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLNode | None:
        """The mask chosen above belongs to the moving volume chosen above; all others go by name."""
        if moving is self._parameters.movingVolume and self._parameters.movingMask is not None:
            return self._parameters.movingMask
        return masks.ofVolume(moving)

    def _inputs(self, moving: slicer.vtkMRMLScalarVolumeNode) -> Inputs:
        parameters = self._parameters
        return Inputs(
            parameters.fixedVolume,
            moving,
            parameters.fixedMask,
            parameters.movingMask,
            parameters.outputTransform,
            parameters.resampledVolume,
        )

    def updateDevices(self) -> None:
        """Show the devices that the worker has found; before it has run, what every computer has."""
        found = [(device["name"], device["text"]) for device in self._client.devices] or [("cpu", "CPU")]
        choices = [("auto", _("Automatic (the fastest)")), *found]
        current = self._parameters.device or "auto"
        if current not in [name for name, _text in choices]:
            choices.append((current, current))  # saved with the scene on another computer
        self._view.setDevices(choices, current)

    # --- what the user does --------------------------------------------------------------------------------------

    def onButton(self) -> None:
        """Register, or cancel what runs."""
        if self.isRunning:
            self.cancel()
        elif self._parameters is not None and self._button()[1]:
            self._isBatch = False
            self._begin([self._inputs(self._parameters.movingVolume)])

    def onBatchButton(self) -> None:
        """Register every ticked volume to the fixed one, or cancel."""
        if self.isRunning:
            self.cancel()
        elif self._parameters is not None and self._batchButton()[1]:
            self._isBatch = True
            fixed, fixedMask = self._parameters.fixedVolume, self._parameters.fixedMask
            try:
                queue = [Inputs(fixed, moving, fixedMask, self._batchMask(moving)) for moving in self._batch()]
            except InputError as error:
                return self._view.setMessage(str(error), True)
            self._begin(queue)

    def _begin(self, queue: list[Inputs]) -> None:
        try:
            self._ensureTorch()
        except InputError as error:
            self._view.setMessage(str(error), True)
            return
        self._view.setMessage("", False)
        self._view.setResult("")
        errormap.hideAll()
        self.finished, self._queue, self._layers, self._run = [], queue, views.Layers.now(), newRun()
        self._view.setBusy(True)
        self._next()

    def _next(self) -> None:
        """Start the next of the queue, or end."""
        while self._queue:
            inputs = self._queue.pop(0)
            registration = SceneRegistration(
                self._client,
                inputs,
                settingsOf(self._parameters),
                self._parameters.followProgress,
                self._showProgress,
                self._run,
            )
            try:
                registration.start()
            except InputError as error:
                registration.state, registration.message = "failed", str(error)
                self._note(registration)
                continue
            except Exception:
                self._queue.clear()
                self._end()  # the panel must stay usable whatever happens
                raise
            self._current = registration
            if not views.isShown(inputs.fixed, inputs.moving):  # else the user's zoom and blend stay
                views.show(inputs.fixed, inputs.moving)
            self._view.setOpacity(views.opacity())
            self.update()
            return
        self._end()

    def poll(self) -> None:
        """Let things go on; called by a timer while :attr:`needsPolling`."""
        if self._current is None:
            if self._client.poll() and self._parameters is not None:
                self.updateDevices()
            return
        wasReady = self._client.isReady
        self._current.poll()
        if self._client.isReady and not wasReady and self._parameters is not None:
            self.updateDevices()
        if self._current.state == "running":
            return
        registration, self._current = self._current, None
        if isinstance(registration, SceneComparison):
            return self._endComparison(registration)
        self._note(registration)
        if registration.state == "cancelled":  # its volumes have been deleted
            self._queue.clear()
        self._next()

    def _note(self, registration: SceneRegistration) -> None:
        self.finished.append(registration)
        if registration.state == "failed":
            name = f"{registration.inputs.moving.GetName()}: " if self._isBatch else ""
            self._view.setMessage(name + registration.message, True)
        elif registration.state == "done" and not self._isBatch and self._parameters is not None:
            self._parameters.outputTransform = registration.placement.transform

    def _end(self) -> None:
        self._current = None
        self._view.setProgress("", None)
        self._view.setBusy(False)
        done = [registration for registration in self.finished if registration.state == "done"]
        if self._isBatch and self.finished:
            if self.table is None or self.table.GetScene() is None:
                self.table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "MAD registrations")
            table.fill(self.table, self.finished)
            views.showTable(self.table)
            self._view.setResult(
                _("{done} of {all} volumes registered.").format(done=len(done), all=len(self.finished))
            )
        elif done:
            self._view.setResult(verdict.resultHtml(done[-1].report))
        elif self._layers is not None:
            self._layers.restore()
        self.update()

    def cancel(self) -> None:
        """Stop what runs, at once, and put its volume back."""
        if self._current is None:
            return
        self._queue.clear()
        self._current.cancel()
        if isinstance(self._current, SceneComparison):
            return self._endComparison(self._current)
        self.finished.append(self._current)
        self._view.setMessage(
            _("Cancelled: everything is as it was.") if not self._isBatch else _("Cancelled: what was finished stays."),
            False,
        )
        self._end()

    @property
    def canRevert(self) -> bool:
        return bool(self._revertible())

    def _revertible(self) -> list[SceneRegistration] | list[saved.SavedRegistration]:
        """What Revert goes back on: the last run, or what is left of it in a scene that was saved and loaded."""
        if self.isRunning or self._parameters is None:
            return []
        return [registration for registration in self.finished if registration.canRevert] or saved.newest()

    def onRevert(self) -> None:
        """Put everything back to what it was before the last run."""
        overwritten = []
        for registration in reversed(self._revertible()):
            if (
                registration.madeTransform
                and self._parameters is not None
                and (self._parameters.outputTransform is registration.transform)
            ):
                self._parameters.outputTransform = None
            if registration.overwritten is not None:
                overwritten.append(registration.overwritten.GetName())
            registration.revert()
        if self._layers is not None:
            self._layers.restore()
            self._layers = None
        self._view.setResult("")
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

    def _plottable(self) -> SceneRegistration | None:
        """The registration whose convergence can be shown: the last one."""
        return next((registration for registration in reversed(self.finished) if registration.canRevert), None)

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

    def _showProgress(self, progress: Progress) -> None:
        stage = progress.stage
        if stage == "preparing" and not self._client.isReady:
            stage = "starting"
        parts = [_(STAGES.get(stage, stage.capitalize()))]
        if self._isBatch:
            done, total = len(self.finished), len(self.finished) + len(self._queue) + 1
            parts.insert(0, f"{done + 1}/{total}")
        if progress.secondsLeft is not None:
            parts.append(_("{seconds} s left").format(seconds=max(1, round(progress.secondsLeft))))
        if progress.errorMm is not None:
            parts.append(_("estimated error {error}").format(error=verdict.millimetres(progress.errorMm)))
        self._view.setProgress(" – ".join(parts), round(100 * progress.fraction))

    # --- comparing -----------------------------------------------------------------------------------------------

    def onCompare(self, kind: str) -> None:
        """Make and show a ``checkerboard`` or the ``edges`` of the two volumes as they lie now."""
        if self.isRunning or self._parameters is None:
            return
        comparison = SceneComparison(
            self._client,
            self._parameters.fixedVolume,
            self._parameters.movingVolume,
            kind,
            onProgress=self._showProgress,
        )
        try:
            self._ensureTorch()
            comparison.start()
        except InputError as error:
            return self._view.setMessage(str(error), True)
        self._current = comparison
        self._view.setBusy(True)
        self.update()

    def _endComparison(self, comparison: SceneComparison) -> None:
        self._current = None
        self._view.setProgress("", None)
        self._view.setBusy(False)
        self._view.setMessage(comparison.message, bool(comparison.message))
        if comparison.state == "done":
            views.show(comparison.node, None, fit=not views.isShown(comparison.fixed, comparison.moving))
        self.update()

    # --- scene and application -----------------------------------------------------------------------------------

    def onSceneStartClose(self) -> None:
        """Stop everything that belongs to the scene that is about to go."""
        self.cancel()
        self.finished, self.batchVolumes, self._layers, self.table, self._plot = [], [], None, None, {}
        self._parameters = None
        self._view.setResult("")
        self._view.setMessage("", False)
        self.update()

    def close(self) -> None:
        """Slicer closes, or the module is reloaded: no process and no file stays."""
        self.cancel()
        self._client.stop()
