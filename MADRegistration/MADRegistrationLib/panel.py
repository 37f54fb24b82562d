"""The rules of the panel, put together: its parts, the scene, and what the user does when something is done.  No Qt in
here.

The widget is a thin :class:`parts.View`; it forwards what the user does, and calls :meth:`Panel.poll` by a timer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from madreg.errors import InputError

from . import edges, leftover
from .assessing import Assessing
from .client import WorkerClient
from .parameters import _
from .parts import Parts, View
from .registering import Registering
from .showing import Showing
from .watch import Watch


class Panel:
    """Everything behind the widgets.

    Args:
        view: shows things.
        client: the worker.
        ensureTorch: makes sure that torch is there, asking the user; raises InputError if it is not.

    Attributes:
        parts: what it is made of.
        registering: what the buttons do that begin a registration.
        assessing: what the button does that begins an assessment.
        showing: what a double-click on a line of a table does.
    """

    def __init__(self, view: View, client: WorkerClient, ensureTorch: Callable[[], None]) -> None:
        self.parts = Parts(view, client, ensureTorch)
        self._messages, self._client, self._run = self.parts.messages, client, view.run
        self._hasLeftover = False
        self._edges = edges.Follower()
        self.registering = Registering(self._messages, self.parts, ensureTorch, onChange=self.update)
        self.assessing = Assessing(self._messages, client, self.parts, ensureTorch, onChange=self.update)
        self.showing = Showing(self._messages, self.parts, onChange=self.update)
        self._watch = Watch(self._onSceneChanged)

    @property
    def isRunning(self) -> bool:
        return self.parts.run.isRunning

    @property
    def needsPolling(self) -> bool:
        """Whether :meth:`poll` has anything to do."""
        isStarting = self._client.isStarted and not self._client.isReady
        return self._hasLeftover or self.parts.run.needsPolling or isStarting

    def poll(self) -> None:
        """Let things go on; called by a timer while :attr:`needsPolling`."""
        if self._hasLeftover and not self.isRunning:
            self._hasLeftover = False
            leftover.remove()
        wasReady = self._client.isReady
        if self.parts.run.needsPolling:
            self.parts.run.poll()
            self._edges.follow(self.parts.selection.moving)
        else:
            self._client.poll()
        if self._client.isReady and not wasReady:
            self.parts.devices.update()

    def setParameters(self, parameters: Any) -> None:
        """Use another parameter node, or None while there is no scene."""
        self.parts.selection.parameters = parameters
        self.update()

    def _onSceneChanged(self) -> None:
        if not self.isRunning:
            self.update()

    def update(self) -> None:
        """Show what there is; called whenever something has changed."""
        self._watch.watch((self.parts.selection.fixed, self.parts.selection.moving))
        self._hasLeftover = not self.isRunning and bool(leftover.find())
        if self._hasLeftover:  # removed by poll(): now a node may be on its way out of the scene
            self._run.poll()
        self.parts.update()

    # --- afterwards ----------------------------------------------------------------------------------------------

    def onAttempt(self) -> None:
        """Show a result whose verdict is failed, or put the moving volume back."""
        try:
            self.parts.result.onAttempt(self.parts.selection.fixed, self.parts.selection.moving)
        except InputError as error:
            self._messages.setMessage(str(error), True)
        self.update()

    def onRevert(self) -> None:
        """Put everything back to what it was before the last run."""
        parts = self.parts
        parts.run.aside.drop()
        parts.inspection.blending.stopFlicker()
        parts.inspection.hideOverlay()
        parts.revert.revert()
        parts.inspection.blending.follow()
        parts.pictures.plot.remove()
        parts.batch.forget(removeTable=True)
        self.update()

    def onLog(self) -> None:
        """Show what the worker has written."""
        self._messages.setLog(self._client.log() or _("There is no log yet."))

    # --- scene and application -----------------------------------------------------------------------------------

    def onSceneStartClose(self) -> None:
        """Stop everything that belongs to the scene that is about to go."""
        parts = self.parts
        self.registering.cancel()
        parts.run.forget()
        parts.batch.forget()
        parts.batch.volumes = []
        parts.pictures.plot.forget()
        parts.revert.forget()
        parts.result.keep(None)
        self.setParameters(None)
        self._watch.stop()
        self._messages.setMessage("", False)

    def close(self) -> None:
        """Slicer closes, or the module is reloaded: no process and no file stays."""
        self.registering.cancel()
        self._watch.stop()
        self._client.stop()
