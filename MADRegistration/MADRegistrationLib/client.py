"""The worker process as Slicer sees it: started when needed, kept warm, listened to without waiting."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import madreg
from madreg.system.folders import open_private, private_folder

from .process import Process, killGroup

WORKER_PATH = Path(madreg.__file__).with_name("commands") / "worker.py"
SILENCE_SECONDS = 120.0
"""A worker that works and has not even sent a heartbeat for so long is taken for dead."""


LOG_BYTES = 100_000


def keptLog() -> Path:
    """Where the log of a worker that has failed stays."""
    return private_folder() / "MADRegistration-worker.log"


class WorkerClient:
    """Starts the worker, sends commands, collects events.

    Nothing here waits: :meth:`poll` is to be called often, by a timer in Slicer.

    Args:
        makeProcess: makes the process to start, e.g. the class ``QtProcess``.
        python: the Python interpreter and its options, the first part of the command line.
        workerPath: the script to start.
    """

    def __init__(self, makeProcess: Callable[[], Process], python: list[str], workerPath: Path = WORKER_PATH) -> None:
        self._makeProcess, self._arguments = makeProcess, [*python, str(workerPath)]
        self._process: Process | None = None
        self._pid: int | None = None
        self._outbox: list[bytes] = []
        self._lastHeard = 0.0
        self._folder: Path | None = None
        self._leftOver: list[Path] = []
        self.isReady = False
        self.devices: list[dict[str, str]] = []

    @property
    def isStarted(self) -> bool:
        return self._process is not None

    @property
    def folder(self) -> Path:
        """Of this worker's temporary files; it is removed when the worker stops."""
        assert self._folder is not None
        return self._folder

    def start(self) -> None:
        """Start the worker unless it runs.  OSError if that is not possible."""
        if self._process is not None:
            if self._process.isRunning():
                self._lastHeard = time.monotonic()  # it is silent while it has nothing to do
                return
            self.stop()  # it has died since its last work
        self._folder = Path(tempfile.mkdtemp(prefix="MADRegistration-"))
        try:
            process = self._makeProcess()
            process.start([*self._arguments, str(self._folder)], self._logPath)
        except OSError:
            self.stop()
            raise
        self._process, self._pid, self.isReady = process, None, False
        self._lastHeard = time.monotonic()

    @property
    def _logPath(self) -> Path:
        return self.folder / "worker.log"

    def send(self, **command: Any) -> None:
        """Send a command, which the worker takes up when it is ready."""
        assert self._process is not None
        self._lastHeard = time.monotonic()
        self._outbox.append(json.dumps(command).encode() + b"\n")
        self._flush()

    def _flush(self) -> None:
        if self._pid is None:
            return  # not before its first word: a process that is only just starting may lose what is written
        for line in self._outbox:
            self._process.write(line)
        self._outbox.clear()

    def poll(self) -> list[dict[str, Any]]:
        """Everything the worker has said since the last call.

        If it has ended, broken down or fallen silent, the last event is ``{"event": "lost", "message": ...}`` with a
        sentence for the user; the worker is stopped then, and the next :meth:`start` starts a new one.
        """
        if self._process is None:
            return []
        running = self._process.isRunning()  # asked first, so that its last words are still read
        events = []
        for line in self._process.readLines():
            try:
                event = json.loads(line)
                kind = event["event"]
            except (ValueError, TypeError, KeyError):
                continue  # a launcher's own words
            self._lastHeard = time.monotonic()
            if kind == "hello":
                self._pid = event["pid"]
                self._flush()
            elif kind == "ready":
                self.isReady, self.devices = True, event["devices"]
            elif kind == "broken":
                return [*events, self._lose(f"cannot compute ({event['message']})")]
            if kind != "alive":
                events.append(event)
        if not running:
            events.append(self._lose("has stopped unexpectedly; most often the computer ran out of memory"))
        elif time.monotonic() - self._lastHeard > SILENCE_SECONDS:
            events.append(self._lose(f"has not answered for {SILENCE_SECONDS:.0f} s"))
        return events

    def _lose(self, what: str) -> dict[str, str]:
        log = self.keepLog()
        self.stop()
        return {"event": "lost", "message": f"The registration process {what}: nothing was changed. Its log is {log}"}

    def log(self) -> str:
        """The last part of what the worker has written, or the former one where none runs; empty if there is none."""
        path = self._logPath if self._folder is not None else keptLog()
        try:
            return path.read_bytes()[-LOG_BYTES:].decode(errors="replace")
        except OSError:
            return ""

    def keepLog(self) -> Path:
        """Copy the worker's log to where it stays; there is only ever one."""
        kept = keptLog()
        try:
            kept.unlink(missing_ok=True)  # a link, if somebody has put one there, not what it points to
            with open(self._logPath, "rb") as log, open(kept, "xb", opener=open_private) as copy:
                shutil.copyfileobj(log, copy)
        except OSError:
            pass
        return kept

    def stop(self) -> None:
        """Kill the worker with everything it started and remove its temporary files.  Returns within 0.2 s."""
        if self._process is not None:
            if self._pid is not None and self._process.isRunning():
                killGroup(self._pid)
            self._process.kill()
        self._process, self._pid, self.isReady = None, None, False
        self._outbox.clear()
        if self._folder is not None:
            self._leftOver.append(self._folder)
            self._folder = None
        for folder in self._leftOver:
            shutil.rmtree(folder, ignore_errors=True)
        # Windows refuses while a dying process still holds its log: try again next time
        self._leftOver = [folder for folder in self._leftOver if folder.exists()]
