"""A short job that nobody waits for: it is dropped when something else begins."""

from __future__ import annotations

from collections.abc import Callable

from ..jobs.job import SceneJob


class BackgroundJob:
    """At most one such job.

    Args:
        onStart: called when there is something to poll.
    """

    def __init__(self, onStart: Callable[[], None]) -> None:
        self._onStart = onStart
        self._job: SceneJob | None = None

    @property
    def isRunning(self) -> bool:
        return self._job is not None

    def start(self, job: SceneJob, onEnd: Callable[[], None]) -> None:
        """Start it.

        Args:
            onEnd: called when it has succeeded or failed.

        Raises:
            InputError: if it cannot be started.
        """
        job.start()
        self._job, self._onEnd = job, onEnd
        self._onStart()

    def drop(self) -> None:
        """Something else begins; what the worker still says of it is not heard."""
        self._job = None

    def poll(self) -> None:
        """Let it go on."""
        if self._job is not None:
            self._job.poll()
            if self._job.state != "running":
                self._job = None
                self._onEnd()
