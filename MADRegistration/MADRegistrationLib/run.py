"""What runs: one registration after the other, or the making of a picture; started, listened to, stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from madreg.errors import InputError

from . import verdict
from .client import WorkerClient
from .inputs import Inputs
from .job import Progress, SceneJob
from .parameters import _
from .registration import SceneRegistration, newRun

STAGES = {
    "preparing": "Preparing the volumes",
    "starting": "Starting the registration process (a few seconds, the first time)",
    "search": "Searching all poses",
    "matches": "Following the network's matches",
    "candidates": "Comparing the best poses",
    "size": "Estimating the size",
    "coarse": "Refining, coarse",
    "medium": "Refining, medium",
    "fine": "Refining, fine",
    "estimate": "Estimating the error",
    "finishing": "Showing the result",
}

PREPARED, SPAN = 0.02, 0.96
"""Share of the whole that is done when the worker begins, and that of its own work: 100 % is the end."""


class RunView(Protocol):
    """What the widget can show of it."""

    def setProgress(self, text: str, percent: int | None) -> None: ...
    def setBusy(self, isBusy: bool) -> None: ...
    def setMessage(self, text: str, isError: bool) -> None: ...


class Run:
    """A queue of registrations, or one other job.

    Args:
        onNext: called with each registration when it has been started.
        onEnd: called when nothing runs any more.

    Attributes:
        isBatch: whether it is the table of many.
        registrations: those of the last run, in the order of the queue; those that were not reached are ``new``.
    """

    def __init__(
        self,
        view: RunView,
        client: WorkerClient,
        onNext: Callable[[SceneRegistration], None],
        onEnd: Callable[[], None],
    ) -> None:
        self._view, self._client, self._onNext, self._onEnd = view, client, onNext, onEnd
        self._current: SceneJob | None = None
        self._onJobEnd: Callable[[], None] | None = None
        self._aside: SceneJob | None = None
        self._queue: list[SceneRegistration] = []
        self.isBatch = False
        self.registrations: list[SceneRegistration] = []

    @property
    def isRunning(self) -> bool:
        return self._current is not None

    @property
    def needsPolling(self) -> bool:
        """Whether :meth:`poll` has anything to do."""
        return self.isRunning or self._aside is not None

    @property
    def done(self) -> list[SceneRegistration]:
        """The registrations with a result."""
        return [one for one in self.registrations if one.state == "done"]

    def register(self, queue: list[Inputs], settings: dict[str, Any], follow: bool, isBatch: bool) -> None:
        """Begin."""
        name, self.isBatch, self._aside = newRun(), isBatch, None
        self.registrations = [
            SceneRegistration(self._client, inputs, settings, follow, self.showProgress, name) for inputs in queue
        ]
        self._queue = list(self.registrations)
        self._view.setBusy(True)
        self._next()

    def do(self, job: SceneJob, onEnd: Callable[[], None]) -> None:
        """Start another job; the last registrations stay what they are.

        Raises:
            InputError: if it cannot be started.
        """
        self.isBatch, self._aside = False, None
        job.start()
        self._current, self._onJobEnd = job, onEnd
        self._view.setBusy(True)

    def doAside(self, job: SceneJob, onDone: Callable[[], None]) -> None:
        """Start a short job that nobody waits for: it is dropped when something else begins.

        Raises:
            InputError: if it cannot be started.
        """
        job.start()
        self._aside, self._onAsideDone = job, onDone

    def _next(self) -> None:
        """Start the next of the queue, or end."""
        while self._queue:
            registration = self._queue.pop(0)
            try:
                registration.start()
            except InputError as error:
                registration.state, registration.message = "failed", str(error)
                self._say(registration)
                continue
            except Exception:
                self._queue.clear()
                self._end()  # the panel must stay usable whatever happens
                raise
            self._current = registration
            return self._onNext(registration)
        self._end()

    def poll(self) -> None:
        """Let things go on; called by a timer while :attr:`needsPolling`."""
        job = self._current
        if job is None:
            return self._pollAside()
        job.poll()
        if job.state != "running":
            self._current = None
            self._say(job)
            self._next()

    def _pollAside(self) -> None:
        if self._aside is not None:
            self._aside.poll()
            if self._aside.state != "running":
                job, self._aside = self._aside, None
                if job.state == "done":
                    self._onAsideDone()

    def _say(self, job: SceneJob) -> None:
        """Show why a job has failed."""
        if job.state == "failed":
            name = f"{job.moving.GetName()}: " if self.isBatch and job.moving is not None else ""
            self._view.setMessage(name + job.message, True)

    def cancel(self) -> None:
        """Stop what runs, at once, and put its volume back."""
        if self._current is not None:
            self._queue.clear()
            self._current.cancel()
            self._end()

    def _end(self) -> None:
        self._current = None
        self._view.setProgress("", None)
        self._view.setBusy(False)
        onEnd, self._onJobEnd = self._onJobEnd or self._onEnd, None
        onEnd()

    def forget(self) -> None:
        """The scene goes."""
        self.registrations, self._queue, self._aside = [], [], None

    def showProgress(self, progress: Progress) -> None:
        """Say where the current job stands."""
        stage = progress.stage
        if stage == "preparing" and not self._client.isReady:
            stage = "starting"
        parts = [_(STAGES.get(stage, stage.replace("_", " ").capitalize()))]
        if self.isBatch:
            parts.insert(0, f"{len(self.registrations) - len(self._queue)}/{len(self.registrations)}")
        if progress.secondsLeft is not None:
            parts.append(_("{seconds} s left").format(seconds=max(1, round(progress.secondsLeft))))
        if progress.errorMm is not None:
            parts.append(_("estimated error {error}").format(error=verdict.millimetres(progress.errorMm)))
        share = progress.fraction if stage in ("preparing", "starting") else PREPARED + SPAN * progress.fraction
        self._view.setProgress(" - ".join(parts), round(100 * share))
