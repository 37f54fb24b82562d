"""Assessing the alignment that the two volumes have now: asked for, begun, shown."""

from __future__ import annotations

from collections.abc import Callable

from madreg.errors import InputError

from ..jobs.assessment import SceneAssessment
from ..messages import Messages
from ..results.verdict import verdictOf
from ..selection.parameters import settingsOf
from ..worker.client import WorkerClient
from .controllers import Controllers

USED = ("device", "seed")
"""Settings that an assessment has."""


class AssessAction:
    """What the button does that begins an assessment.  Cancel is :meth:`registeraction.RegisterAction.onButton`.

    Args:
        ensureTorch: makes sure that torch is there, asking the user; raises InputError if it is not.
        onChange: called when something has begun or ended.
    """

    def __init__(
        self,
        messages: Messages,
        client: WorkerClient,
        controllers: Controllers,
        ensureTorch: Callable[[], None],
        onChange: Callable[[], None],
    ) -> None:
        self._messages, self._client, self._controllers = messages, client, controllers
        self._ensureTorch, self._onChange = ensureTorch, onChange

    def onButton(self) -> None:
        """Assess the two volumes as they lie."""
        controllers = self._controllers
        selection, run = controllers.selection, controllers.run
        if run.isRunning or not selection.canAssess:
            return
        settings = {name: value for name, value in settingsOf(selection.parameters).items() if name in USED}
        job = SceneAssessment(self._client, selection.inputs(), settings, run.showProgress)
        self._messages.setMessage("", False)
        try:
            self._ensureTorch()
            run.do(job, lambda: self._onEnd(job))
        except InputError as error:
            return self._messages.setMessage(str(error), True)
        self._onChange()

    def _onEnd(self, job: SceneAssessment) -> None:
        self._onChange()
        if job.state == "done" and verdictOf(job.report)[0] != "failed":  # else the map may show small errors
            self._controllers.inspection.errors.onErrorMap(True)
