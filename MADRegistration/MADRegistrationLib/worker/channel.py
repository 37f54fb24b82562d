"""Commands to the worker and its events: one JSON object a line."""

from __future__ import annotations

import json
import time
from typing import Any

from .process import Process

SILENCE_SECONDS = 120.0
"""A worker that works and has not even sent a heartbeat for so long is taken for dead."""


class Channel:
    """The conversation with one worker process, which has just been started.

    Attributes:
        pid: of the worker itself, which may have been started by a launcher; None before its first word.
        isReady: whether it has loaded all that it needs.
        devices: every device that can compute there: ``name`` and ``text``.
        failure: what has become of it, to be put after "The registration process"; None while all is well.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._outbox: list[bytes] = []
        self.pid: int | None = None
        self.isReady = False
        self.devices: list[dict[str, str]] = []
        self.failure: str | None = None
        self.expectWord()

    def expectWord(self) -> None:
        """From now on its silence counts; it is silent while it has nothing to do."""
        self._lastHeard = time.monotonic()

    def send(self, command: dict[str, Any]) -> None:
        """Send a command, which the worker takes up when it is ready."""
        self.expectWord()
        self._outbox.append(json.dumps(command).encode() + b"\n")
        self._flush()

    def _flush(self) -> None:
        if self.pid is None:
            return  # not before its first word: a process that is only just starting may lose what is written
        for line in self._outbox:
            self._process.write(line)
        self._outbox.clear()

    def poll(self) -> list[dict[str, Any]]:
        """The events of jobs since the last call; sets :attr:`failure` if it has ended, broken down or fallen
        silent."""
        running = self._process.isRunning()  # asked first, so that its last words are still read
        events = []
        for line in self._process.readLines():
            event = _parse(line)
            if event is None:
                continue
            self.expectWord()
            self._takeIn(event)
            if self.failure:
                return events
            if event["event"] not in ("hello", "ready", "alive"):
                events.append(event)
        if not running:
            self.failure = "has stopped unexpectedly; most often the computer ran out of memory"
        elif time.monotonic() - self._lastHeard > SILENCE_SECONDS:
            self.failure = f"has not answered for {SILENCE_SECONDS:.0f} s"
        return events

    def _takeIn(self, event: dict[str, Any]) -> None:
        """What concerns the process rather than a job."""
        if event["event"] == "hello":
            self.pid = event["pid"]
            self._flush()
        elif event["event"] == "ready":
            self.isReady, self.devices = True, event["devices"]
        elif event["event"] == "broken":
            self.failure = f"cannot compute ({event['message']})"


def _parse(line: bytes) -> dict[str, Any] | None:
    """The event of a line; None for a launcher's own words."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None
