"""The worker process as Slicer sees it: started when needed, kept warm, listened to without waiting."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import madreg

from . import workerlog
from .channel import Channel
from .inbox import Inbox
from .process import Process, killGroup

WORKER_PATH = Path(madreg.__file__).with_name("commands") / "worker.py"


class WorkerClient:
    """Starts the worker, sends commands, collects events.

    Nothing here waits: :meth:`poll` is to be called often, by a timer in Slicer.

    Args:
        makeProcess: makes the process to start, e.g. the class ``QtProcess``.
        python: the Python interpreter and its options, the first part of the command line.
        workerPath: the script to start.

    Attributes:
        devices: every device that the last worker has found, see :class:`channel.Channel`.
    """

    def __init__(self, makeProcess: Callable[[], Process], python: list[str], workerPath: Path = WORKER_PATH) -> None:
        self._makeProcess, self._arguments = makeProcess, [*python, str(workerPath)]
        self._process: Process | None = None
        self._channel: Channel | None = None
        self._folder: Path | None = None
        self._leftOver: list[Path] = []
        self._inbox = Inbox()
        self.devices: list[dict[str, str]] = []

    @property
    def isStarted(self) -> bool:
        return self._process is not None

    @property
    def isReady(self) -> bool:
        """Whether the worker has loaded all that it needs."""
        return self._channel is not None and self._channel.isReady

    @property
    def pid(self) -> int | None:
        """Of the worker; None before it has said its first word."""
        return None if self._channel is None else self._channel.pid

    @property
    def folder(self) -> Path:
        """Of this worker's temporary files; it is removed when the worker stops."""
        assert self._folder is not None
        return self._folder

    @property
    def _logPath(self) -> Path:
        return self.folder / "worker.log"

    def start(self) -> None:
        """Start the worker unless it runs.  OSError if that is not possible."""
        if self._process is not None:
            if self._process.isRunning():
                self._channel.expectWord()
                return
            self.stop()  # it has died since its last work
        self._folder = Path(tempfile.mkdtemp(prefix="MADRegistration-"))
        try:
            process = self._makeProcess()
            process.start([*self._arguments, str(self._folder)], self._logPath)
        except OSError:
            self.stop()
            raise
        self._process, self._channel = process, Channel(process)

    def expect(self, job: int) -> None:
        """Keep what the worker says of a job, whoever calls :meth:`poll`, until :meth:`take`."""
        self._inbox.expect(job)

    def send(self, **command: Any) -> None:
        """Send a command, which the worker takes up when it is ready."""
        assert self._channel is not None
        self.expect(command["job"])
        self._channel.send(command)

    def poll(self) -> None:
        """Hear what the worker has said since the last call.

        If it has ended, broken down or fallen silent, the last event of each job is ``{"event": "lost", "message":
        ...}`` with a sentence for the user; the worker is stopped then, and the next :meth:`start` starts a new one.
        """
        if self._channel is None:
            return
        for event in self._channel.poll():
            self._inbox.put(event)
        if self._channel.isReady:
            self.devices = self._channel.devices
        if self._channel.failure:
            what, log = self._channel.failure, self.keepLog()
            self._inbox.lose(f"The registration process {what}: nothing was changed. Its log is {log}")
            self.stop()

    def take(self, job: int) -> list[dict[str, Any]]:
        """What :meth:`poll` has heard of a job since the last call."""
        return self._inbox.take(job)

    def log(self) -> str:
        """The last part of what the worker has written, or the former one where none runs; empty if there is none."""
        return workerlog.tail(None if self._folder is None else self._logPath)

    def keepLog(self) -> Path:
        """Copy the worker's log to where it stays."""
        return workerlog.keep(self._logPath)

    def stop(self) -> None:
        """Kill the worker with everything it started and remove its temporary files.  Returns within 0.2 s."""
        self._inbox.lose("The registration process was stopped with another registration: nothing was changed.")
        if self._process is not None:
            if self.pid is not None and self._process.isRunning():
                killGroup(self.pid)
            self._process.kill()
        self._process = self._channel = None
        if self._folder is not None:
            self._leftOver.append(self._folder)
            self._folder = None
        for folder in self._leftOver:
            shutil.rmtree(folder, ignore_errors=True)
        # Windows refuses while a dying process still holds its log: try again next time
        self._leftOver = [folder for folder in self._leftOver if folder.exists()]
