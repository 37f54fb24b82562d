"""What runs: one registration after the other, or the making of a picture; started, listened to, stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from madreg.errors import InputError

from ..inputs import Inputs
from ..jobs.filejob import FileJob
from ..jobs.job import SceneJob
from ..jobs.progress import Progress
from ..jobs.registration import SceneRegistration, newRun
from ..messages import Messages
from ..worker.client import WorkerClient
from . import progresstext
from .backgroundjob import BackgroundJob
from .queue import Queue


class RunView(Protocol):
    """What the widget can show of it."""

    def setProgress(self, text: str, percent: int | None) -> None: ...
    def setBusy(self, isBusy: bool) -> None: ...

    def poll(self) -> None:
        """Call :meth:`panel.Panel.poll` from now on, as long as there is something to do."""


class Run:
    """A queue of registrations, or one other job.

    Attributes:
        onNext: called with each registration when it has been started.
        onEnd: called when no registration runs any more.
        isBatch: whether it is the table of many.
        queue: of the last run.
        background: a short job that nobody waits for.
    """

    def __init__(self, view: RunView, messages: Messages, client: WorkerClient) -> None:
        self._view, self._messages, self._client = view, messages, client
        self.onNext: Callable[[SceneRegistration], None] = lambda registration: None
        self.onEnd: Callable[[], None] = lambda: None
        self._current: SceneJob | FileJob | None = None
        self._onJobEnd: Callable[[], None] | None = None
        self.isBatch = False
        self.queue, self.background = Queue(), BackgroundJob(view.poll)

    @property
    def isRunning(self) -> bool:
        return self._current is not None

    @property
    def needsPolling(self) -> bool:
        """Whether :meth:`poll` has anything to do."""
        return self.isRunning or self.background.isRunning

    def register(self, pairs: list[Inputs], settings: dict[str, Any], follow: bool, isBatch: bool) -> None:
        """Begin."""
        name, self.isBatch = newRun(), isBatch
        self.background.drop()
        self.queue = Queue(
            [SceneRegistration(self._client, inputs, settings, follow, self.showProgress, name) for inputs in pairs]
        )
        self._view.setBusy(True)
        self._next()

    def do(self, job: SceneJob | FileJob, onEnd: Callable[[], None], isBatch: bool = False) -> None:
        """Start another job; the last registrations stay what they are.

        Args:
            isBatch: whether a part of it may be finished when it is cancelled.

        Raises:
            InputError: if it cannot be started.
        """
        self.isBatch = isBatch
        self.background.drop()
        job.start()
        self._current, self._onJobEnd = job, onEnd
        self._view.setBusy(True)

    def _next(self) -> None:
        """Start the next of the queue, or end."""
        while (registration := self.queue.take()) is not None:
            try:
                registration.start()
            except InputError as error:
                registration.state, registration.message = "failed", str(error)
                self._say(registration)
                continue
            except Exception:
                self.queue.drop()
                self._end()  # the panel must stay usable whatever happens
                raise
            self._current = registration
            return self.onNext(registration)
        self._end()

    def poll(self) -> None:
        """Let things go on; called by a timer while :attr:`needsPolling`."""
        job = self._current
        if job is None:
            return self.background.poll()
        job.poll()
        if job.state != "running":
            self._current = None
            self._say(job)
            self._next()

    def _say(self, job: SceneJob | FileJob) -> None:
        """Show why a job has failed."""
        if job.state == "failed":
            name = f"{job.moving.GetName()}: " if self.isBatch and job.moving is not None else ""
            self._messages.setMessage(name + job.message, True)

    def cancel(self) -> None:
        """Stop what runs, at once, and put its volume back."""
        if self._current is not None:
            self.queue.drop()
            self._current.cancel()
            self._end()

    def _end(self) -> None:
        self._current = None
        self._view.setProgress("", None)
        self._view.setBusy(False)
        onEnd, self._onJobEnd = self._onJobEnd or self.onEnd, None
        onEnd()

    def forget(self) -> None:
        """The scene goes."""
        self.queue = Queue()
        self.background.drop()

    def showProgress(self, progress: Progress) -> None:
        """Say where the current job stands."""
        if progress.stage == "preparing" and not self._client.isReady:
            progress = replace(progress, stage="starting")
        position = progress.position or (self.queue.position if self.isBatch else "")
        self._view.setProgress(progresstext.textOf(progress, position), progresstext.percentOf(progress))
