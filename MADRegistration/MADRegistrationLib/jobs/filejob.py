"""Registering pairs of files by the worker, one after the other, as ``madreg batch`` does on many."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack

from madreg.batch import manifest, summary
from madreg.batch.pair import Pair
from madreg.batch.work import ATTEMPTS, failure, task_of
from madreg.errors import InputError

from ..worker.client import WorkerClient
from ..worker.jobevents import eventsOf
from .filepairs import FilePairs
from .job import newNumber, reasonOf
from .progress import Progress


class FileJob:
    """A job as of :class:`job.SceneJob`, without nodes.  Every pair is in the manifest as soon as it is done, so that
    nothing is lost by :meth:`cancel` or by Slicer's end.

    Args:
        onEntry: called with the place of each pair that is done.

    Attributes:
        state: ``new``, ``running``, ``done``, ``cancelled`` or ``failed``.
        message: for ``failed``, one sentence for the user.
    """

    moving = None  # what the panel says of it names no node

    def __init__(
        self,
        client: WorkerClient,
        pairs: FilePairs,
        onProgress: Callable[[Progress], None],
        onEntry: Callable[[int], None],
    ) -> None:
        self._client, self._pairs, self._onProgress, self._onEntry = client, pairs, onProgress, onEntry
        self._waiting = deque((pair, 1) for pair in pairs.remaining)
        self._number, self._done, self._all = 0, 0, len(self._waiting)
        self._opened = ExitStack()
        self.state, self.message = "new", ""

    def start(self) -> None:
        """Open the manifest and begin.

        Raises:
            InputError: if the folder cannot be used, or another batch writes to it.
        """
        self._manifest = self._opened.enter_context(manifest.opened(self._pairs.folder))
        self._began, self.state = time.monotonic(), "running"
        try:
            self._next()
        except BaseException:
            self._opened.close()
            raise

    def _next(self) -> None:
        """Send the next pair to the worker, or end."""
        while self._waiting:
            self._pair, self._attempt = self._waiting.popleft()
            former = manifest.result_of(self._pair, self._pairs.folder)
            if former is None:
                return self._send()
            self._record(former)  # its files were complete when a former run ended
        self._end()

    def _send(self) -> None:
        self._task, self._number = task_of(self._pair, self._pairs.root, self._pairs.folder), newNumber()
        try:
            self._client.start()
        except OSError as error:
            raise InputError(f"The registration process cannot be started: {error}") from error
        self._client.send(command="pair", job=self._number, task=self._task)
        self._onProgress(self._progress(self._pair))

    def _progress(self, pair: Pair) -> Progress:
        seconds = time.monotonic() - self._began
        left = seconds / self._done * (self._all - self._done) if self._done else None
        return Progress("files", self._done / self._all, left, position=f"{self._done + 1}/{self._all} {pair.id}")

    def poll(self) -> None:
        """Hear what the worker has said."""
        if self.state != "running":
            return
        try:
            events = eventsOf(self._client, self._number)
            if events.failure:
                self._take(failure(self._task, "killed", events.failure))
            elif events.result:
                self._take(events.result["entry"])
        except Exception as error:  # whatever is wrong, a job must end
            self._opened.close()
            self._client.stop()
            where = f"The results could not be written to {self._pairs.folder}"
            self.state, self.message = "failed", reasonOf(error, "registration", where)

    def _take(self, entry: manifest.Entry) -> None:
        """Record what has become of the pair that was sent, or try it again later; go on."""
        if entry["state"] != "done" and self._attempt < ATTEMPTS:
            self._waiting.append((self._pair, self._attempt + 1))
        else:
            self._record(entry)
        self._next()

    def _record(self, entry: manifest.Entry) -> None:
        complete = {**entry, "attempts": self._attempt, "finished": time.time()}
        self._manifest.add(complete)
        self._done += 1
        self._onEntry(self._pairs.add(complete))

    def _end(self) -> None:
        """All are done: the page and the table of all pairs are written."""
        self._opened.close()
        summary.write(self._pairs.folder, [self._pairs.entries[pair.id] for pair in self._pairs.pairs])
        self.state = "done"

    def cancel(self) -> None:
        """Stop at once; the pairs that are done stay done."""
        if self.state == "running":
            self._client.stop()
            self._opened.close()
            self.state = "cancelled"
