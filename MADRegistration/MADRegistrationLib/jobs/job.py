"""Work that the worker does for the scene, without ever waiting: voxels out, events in, an end.

A job ends in one of three ways: ``done``, ``cancelled`` or ``failed``; in the last two the scene is as it was before.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from typing import Any

import slicer

from madreg.errors import InputError

from ..worker.client import WorkerClient
from ..worker.jobevents import OUT_OF_MEMORY, eventsOf
from .jobfiles import JobFiles
from .progress import Progress
from .volumechanges import VolumeChanges

_numbers = itertools.count(1)


def newNumber() -> int:
    """Of the next job."""
    return next(_numbers)


class SceneJob:
    """One job under way, or over; what begins with ``_`` and does nothing here differs between kinds.

    Call :meth:`start`, then :meth:`poll` often while :attr:`state` is ``running``.

    Attributes:
        NAME: of this kind of job, in sentences for the user.
        fixed, moving: the volumes that it is about; when one of them is deleted or changed, the job fails.
        state: ``new``, ``running``, ``done``, ``cancelled`` or ``failed``.
        message: for ``failed``, one sentence for the user.
    """

    NAME = "registration"

    def __init__(
        self,
        client: WorkerClient,
        fixed: slicer.vtkMRMLScalarVolumeNode,
        moving: slicer.vtkMRMLScalarVolumeNode,
        onProgress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.fixed, self.moving = fixed, moving
        self.state, self.message = "new", ""
        self._client = client
        self._onProgress = onProgress or (lambda progress: None)

    @property
    def _needsPlace(self) -> bool:
        """Whether it ends if the transforms above a volume move it now."""
        return True

    def _prepare(self) -> None:
        """Check the inputs; raise InputError.  The scene must not be changed."""

    def _command(self) -> Iterator[None]:
        """Write files a piece at a time (yield in between); return the command to send, without its job number."""
        raise NotImplementedError

    def _record(self, event: dict[str, Any]) -> None:
        """Remember progress; called for every one."""

    def _follow(self, event: dict[str, Any]) -> None:
        """Show progress; called for the newest only."""

    def _finish(self, event: dict[str, Any]) -> Iterator[None]:
        """Take the result into the scene, a piece at a time; OSError or ValueError if its files cannot be read."""
        raise NotImplementedError

    def _undo(self) -> None:
        """Put the scene back."""

    def start(self) -> None:
        """Check the inputs and begin.

        Raises:
            InputError: with a sentence for the user; nothing has been changed.
        """
        self._prepare()
        self._changes = VolumeChanges((self.fixed, self.moving), self.NAME)
        self._number = newNumber()
        try:
            self._client.start()
            self._files = JobFiles(self._client.folder / str(self._number))
            self._client.expect(self._number)
        except OSError as error:
            raise InputError(f"The registration process cannot be started: {error}") from error
        self._steps = self._send()
        self._isSent = self._isEnding = False
        self.state = "running"
        self._onProgress(Progress("preparing", 0.0))

    def _send(self) -> Iterator[None]:
        command = yield from self._command()
        self._client.send(job=self._number, **command)
        self._isSent = True

    def poll(self) -> None:
        """Do a little of what there is to do: one piece to write, whatever the worker has said."""
        if self.state != "running":
            return
        try:
            self._changes.check(self._needsPlace)
            isDone = next(self._steps, self) is self
            if self._isEnding and isDone:
                self._files.remove()
                self.state = "done"
            elif not self._isEnding:
                self._hear()
        except Exception as error:  # whatever is wrong, a job must end, and not seem done
            what = "result could not be read from" if self._isEnding else "volumes could not be written to"
            if self._isSent and not self._isEnding:
                self._client.stop()  # it computes
            self._fail(reasonOf(error, self.NAME, f"The {what} {self._files.folder}"))

    def _hear(self) -> None:
        """Take in what the worker has said."""
        events = eventsOf(self._client, self._number, self.NAME)
        for event in events.progress:
            self._record(event)
        if events.failure:
            return self._fail(events.failure)
        if events.progress:
            if events.result is None:
                self._follow(events.progress[-1])
            self._onProgress(Progress.of(events.progress[-1]))
        if events.result:
            self._steps, self._isEnding = self._finish(events.result), True
            self._onProgress(Progress("finishing", 1.0))

    def cancel(self) -> None:
        """Stop at once: the worker is killed and the scene put back."""
        if self.state == "running":
            self._client.stop()
            self._undo()
            self.state = "cancelled"

    def _fail(self, message: str) -> None:
        self._undo()
        self._files.remove()
        self.message, self.state = message, "failed"


def reasonOf(error: Exception, what: str, sentence: str) -> str:
    """One sentence for the user on an error that ended a kind of job; one with files is said in the given sentence."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
    if isinstance(error, (OSError, ValueError)):
        return f"{sentence}: {error}"
    logging.error("An error of the MADRegistration module", exc_info=error)
    return f"The {what} was stopped by an error of this module: please report it with Slicer's log."
