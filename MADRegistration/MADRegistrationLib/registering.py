"""Registering one pair or many: asked for, begun, shown, cancelled."""

from __future__ import annotations

from collections.abc import Callable

from madreg.errors import InputError

from . import layouts, views
from .inputs import Inputs
from .messages import Messages
from .parameters import _, settingsOf
from .parts import Parts
from .registration import SceneRegistration

FAR_MM = 10.0
"""The views are centered anew after a registration that moved the volume by more."""


class Registering:
    """What the two buttons do that begin a registration.

    Args:
        ensureTorch: makes sure that torch is there, asking the user; raises InputError if it is not.
        onChange: called when something has begun or ended.
    """

    def __init__(
        self, messages: Messages, parts: Parts, ensureTorch: Callable[[], None], onChange: Callable[[], None]
    ) -> None:
        self._messages, self._parts, self._ensureTorch, self._onChange = messages, parts, ensureTorch, onChange
        parts.run.onNext, parts.run.onEnd = self._onNext, self._onEnd

    def onButton(self) -> None:
        """Register, or cancel what runs."""
        selection = self._parts.selection
        if self._parts.run.isRunning:
            self.cancel()
        elif selection.parameters is not None and not selection.button()[1]:
            self._begin([selection.inputs()], isBatch=False)

    def onBatchButton(self) -> None:
        """Register every ticked volume to the fixed one."""
        if self._parts.run.isRunning or self._parts.batch.whyNot():
            return
        try:
            pairs = self._parts.batch.queue()
        except InputError as error:
            return self._messages.setMessage(str(error), True)
        self._begin(pairs, isBatch=True)

    def _begin(self, pairs: list[Inputs], isBatch: bool) -> None:
        parts = self._parts
        parts.inspection.blending.stopFlicker()
        agreed = [parts.selection.agreed(inputs) for inputs in pairs]
        if None in agreed:
            return self._messages.setMessage(_("Nothing was changed: choose another output transform."), False)
        try:
            self._ensureTorch()
        except InputError as error:
            return self._messages.setMessage(str(error), True)
        self._messages.setMessage("", False)
        parts.inspection.hideOverlay()
        parts.result.keep(None)
        parts.revert.remember()
        parameters = parts.selection.parameters
        parts.run.register(agreed, settingsOf(parameters), parameters.followProgress, isBatch)

    def _onNext(self, registration: SceneRegistration) -> None:
        """A registration has begun."""
        if layouts.showSlices():
            self._messages.setMessage(_("The layout was changed to one with slice views."), False)
        if not views.isShown(registration.fixed, registration.moving):  # else the user's zoom and blend stay
            views.show(registration.fixed, registration.moving)
        self._parts.inspection.blending.follow()
        self._onChange()

    def _onEnd(self) -> None:
        """Nothing runs any more."""
        parts = self._parts
        done = parts.run.queue.done
        if not done:
            parts.revert.restoreViews()
        if parts.run.isBatch:
            self._showBatch()
        elif done:
            self._showResult(done[-1])
        self._onChange()

    def _showBatch(self) -> None:
        registrations = self._parts.run.queue.registrations
        text = self._parts.batch.show(registrations)
        if all(one.state != "failed" for one in registrations):
            self._messages.setMessage(text, False)

    def _showResult(self, done: SceneRegistration) -> None:
        parts = self._parts
        parts.result.keep(done)
        selection = parts.selection
        if done.isApplied and (selection.fixed, selection.moving) == (done.fixed, done.moving):
            selection.parameters.outputTransform = done.transform
            self._onChange()
            parts.pictures.showResult(isFar=done.report["moved_mm"] > FAR_MM)

    def cancel(self) -> None:
        """Stop what runs, at once, and put its volume back."""
        run = self._parts.run
        if run.isRunning:
            text = _("Cancelled: what was finished stays.") if run.isBatch else _("Cancelled: nothing was changed.")
            run.cancel()
            self._messages.setMessage(text, False)
