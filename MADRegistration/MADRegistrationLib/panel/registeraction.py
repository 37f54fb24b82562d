"""Registering one pair or many: asked for, begun, shown, cancelled."""

from __future__ import annotations

from collections.abc import Callable

from madreg.errors import InputError

from ..inputs import Inputs
from ..jobs.registration import SceneRegistration
from ..messages import Messages
from ..selection.parameters import settingsOf
from ..translation import _
from ..views import layout, sliceviews
from .controllers import Controllers

FAR_MM = 10.0
"""The views are centered anew after a registration that moved the volume by more."""


class RegisterAction:
    """What the two buttons do that begin a registration.

    Args:
        ensureTorch: makes sure that torch is there, asking the user; raises InputError if it is not.
        onChange: called when something has begun or ended.
    """

    def __init__(
        self,
        messages: Messages,
        controllers: Controllers,
        ensureTorch: Callable[[], None],
        onChange: Callable[[], None],
    ) -> None:
        self._messages, self._controllers = messages, controllers
        self._ensureTorch, self._onChange = ensureTorch, onChange
        controllers.run.onNext, controllers.run.onEnd = self._onNext, self._onEnd

    def onButton(self) -> None:
        """Register, or cancel what runs."""
        selection = self._controllers.selection
        if self._controllers.run.isRunning:
            self.cancel()
        elif selection.parameters is not None and not selection.button()[1]:
            self._begin([selection.inputs()], isBatch=False)

    def onBatchButton(self) -> None:
        """Register every ticked volume to the fixed one."""
        if self._controllers.run.isRunning or self._controllers.batch.whyNot():
            return
        try:
            pairs = self._controllers.batch.queue()
        except InputError as error:
            return self._messages.setMessage(str(error), True)
        self._begin(pairs, isBatch=True)

    def _begin(self, pairs: list[Inputs], isBatch: bool) -> None:
        controllers = self._controllers
        controllers.inspection.blending.stopFlicker()
        agreed = [controllers.selection.agreed(inputs) for inputs in pairs]
        if None in agreed:
            return self._messages.setMessage(_("Nothing was changed: choose another output transform."), False)
        try:
            self._ensureTorch()
        except InputError as error:
            return self._messages.setMessage(str(error), True)
        self._messages.setMessage("", False)
        controllers.inspection.hideOverlay()
        controllers.result.keep(None)
        controllers.revert.remember()
        parameters = controllers.selection.parameters
        controllers.run.register(agreed, settingsOf(parameters), parameters.followProgress, isBatch)

    def _onNext(self, registration: SceneRegistration) -> None:
        """A registration has begun."""
        if layout.showSlices():
            self._messages.setMessage(_("The layout was changed to one with slice views."), False)
        if not sliceviews.isShown(registration.fixed, registration.moving):  # else the user's zoom and blend stay
            sliceviews.show(registration.fixed, registration.moving)
        self._controllers.inspection.blending.follow()
        self._onChange()

    def _onEnd(self) -> None:
        """Nothing runs any more."""
        controllers = self._controllers
        done = controllers.run.queue.done
        if not done:
            controllers.revert.restoreViews()
        if controllers.run.isBatch:
            self._showBatch()
        elif done:
            self._showResult(done[-1])
        self._onChange()

    def _showBatch(self) -> None:
        registrations = self._controllers.run.queue.registrations
        text = self._controllers.batch.show(registrations)
        if all(one.state != "failed" for one in registrations):
            self._messages.setMessage(text, False)

    def _showResult(self, done: SceneRegistration) -> None:
        controllers = self._controllers
        controllers.result.keep(done)
        selection = controllers.selection
        if done.isApplied and (selection.fixed, selection.moving) == (done.fixed, done.moving):
            selection.parameters.outputTransform = done.transform
            self._onChange()
            controllers.pictures.showResult(isFar=done.report["moved_mm"] > FAR_MM)

    def cancel(self) -> None:
        """Stop what runs, at once, and put its volume back."""
        run = self._controllers.run
        if run.isRunning:
            text = _("Cancelled: what was finished stays.") if run.isBatch else _("Cancelled: nothing was changed.")
            run.cancel()
            self._messages.setMessage(text, False)
