"""The panel without Qt: its controllers, the scene, and what the user does when something is done.

The widget is a thin :class:`view.View`; it forwards what the user does, and calls :meth:`Panel.poll` by a timer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from madreg.errors import InputError

from ..results import obsoletenodes
from ..scene.observer import SceneObserver
from ..translation import _
from ..views import edges
from ..worker.client import WorkerClient
from .assessaction import AssessAction
from .choosepairaction import ChoosePairAction
from .controllers import Controllers
from .registeraction import RegisterAction
from .view import View


class Panel:
    """Everything behind the widgets.

    Args:
        view: shows things.
        client: the worker.
        ensureTorch: makes sure that torch is there, asking the user; raises InputError if it is not.

    Attributes:
        controllers: what it is made of.
        registerAction: what the buttons do that begin a registration.
        assessAction: what the button does that begins an assessment.
        choosePairAction: what a double-click on a line of a table does, and the context menu of a volume.
    """

    def __init__(self, view: View, client: WorkerClient, ensureTorch: Callable[[], None]) -> None:
        self.controllers = Controllers(view, client, ensureTorch)
        self._messages, self._client, self._run = self.controllers.messages, client, view.run
        self._hasObsoleteNodes = False
        self._edges = edges.Follower()
        self.registerAction = RegisterAction(self._messages, self.controllers, ensureTorch, onChange=self.update)
        self.assessAction = AssessAction(self._messages, client, self.controllers, ensureTorch, onChange=self.update)
        self.choosePairAction = ChoosePairAction(self._messages, self.controllers, onChange=self.update)
        self._observer = SceneObserver(self._onSceneChanged)

    @property
    def isRunning(self) -> bool:
        return self.controllers.run.isRunning

    @property
    def needsPolling(self) -> bool:
        """Whether :meth:`poll` has anything to do."""
        isStarting = self._client.isStarted and not self._client.isReady
        return self._hasObsoleteNodes or self.controllers.run.needsPolling or isStarting

    def poll(self) -> None:
        """Let things go on; called by a timer while :attr:`needsPolling`."""
        if self._hasObsoleteNodes and not self.isRunning:
            self._hasObsoleteNodes = False
            obsoletenodes.remove()
        wasReady = self._client.isReady
        if self.controllers.run.needsPolling:
            self.controllers.run.poll()
            self._edges.follow(self.controllers.selection.moving)
        else:
            self._client.poll()
        if self._client.isReady and not wasReady:
            self.controllers.devices.update()

    def setParameters(self, parameters: Any) -> None:
        """Use another parameter node, or None while there is no scene."""
        self.controllers.selection.parameters = parameters
        self.update()

    def _onSceneChanged(self) -> None:
        if not self.isRunning:
            self.update()

    def update(self) -> None:
        """Show what there is; called whenever something has changed."""
        self._observer.watch((self.controllers.selection.fixed, self.controllers.selection.moving))
        self._hasObsoleteNodes = not self.isRunning and bool(obsoletenodes.find())
        if self._hasObsoleteNodes:  # removed by poll(): now a node may be on its way out of the scene
            self._run.poll()
        self.controllers.update()

    # --- afterwards ----------------------------------------------------------------------------------------------

    def onAttempt(self) -> None:
        """Show a result whose verdict is failed, or put the moving volume back."""
        try:
            self.controllers.result.onAttempt(self.controllers.selection.fixed, self.controllers.selection.moving)
        except InputError as error:
            self._messages.setMessage(str(error), True)
        self.update()

    def onRevert(self) -> None:
        """Put everything back to what it was before the last run."""
        controllers = self.controllers
        controllers.run.background.drop()
        controllers.inspection.blending.stopFlicker()
        controllers.inspection.hideOverlay()
        controllers.revert.revert()
        controllers.inspection.blending.follow()
        controllers.pictures.plot.remove()
        controllers.batch.forget(removeTable=True)
        self.update()

    def onLog(self) -> None:
        """Show what the worker has written."""
        self._messages.setLog(self._client.log() or _("There is no log yet."))

    # --- scene and application -----------------------------------------------------------------------------------

    def onSceneStartClose(self) -> None:
        """Stop everything that belongs to the scene that is about to go."""
        controllers = self.controllers
        self.registerAction.cancel()
        controllers.run.forget()
        controllers.batch.forget()
        controllers.batch.volumes = []
        controllers.pictures.plot.forget()
        controllers.revert.forget()
        controllers.result.keep(None)
        self.setParameters(None)
        self._observer.stop()
        self._messages.setMessage("", False)

    def close(self) -> None:
        """Slicer closes, or the module is reloaded: no process and no file stays."""
        self.registerAction.cancel()
        self._observer.stop()
        self._client.stop()
