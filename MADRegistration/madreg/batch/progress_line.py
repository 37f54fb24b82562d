"""The line that says how far a batch is."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import IO, Any

from ..system.counted import counted
from .manifest import counts

TERMINAL_SECONDS = 0.5
FILE_SECONDS = 60.0
"""Time between two lines where there is no terminal."""
RECENT = 200
"""Pairs by whose times the time left is estimated."""


class ProgressLine:
    """Prints one line on stderr that is written over on a terminal.

    Args:
        total: number of pairs of the whole batch.
        entries: of those that were done before.
    """

    def __init__(self, total: int, entries: list[Mapping[str, Any]], stream: IO[str] | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._is_terminal = self._stream.isatty()
        self._total, self._counts = total, counts(entries)
        self._times = [time.monotonic()]
        self._shown, self._width = float("-inf"), 0

    def add(self, entry: Mapping[str, Any]) -> None:
        """Count a pair that has just been done."""
        for name, number in counts([entry]).items():
            self._counts[name] += number
        self._times = [*self._times[-RECENT:], time.monotonic()]

    def show(self, workers: int, at_once: bool = False) -> None:
        """Print the line if it is time."""
        now = time.monotonic()
        if not at_once and now - self._shown < (TERMINAL_SECONDS if self._is_terminal else FILE_SECONDS):
            return
        self._shown, line = now, self.line(workers)
        if self._is_terminal:
            self._stream.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            self._stream.write(line + "\n")
        self._stream.flush()

    def end(self, workers: int) -> None:
        """Print the line for the last time."""
        self.show(workers, at_once=True)
        if self._is_terminal:
            self._stream.write("\n")
            self._stream.flush()

    def line(self, workers: int) -> str:
        """The line as it is now."""
        number = self._counts
        finished = number["done"] + number["failed"]
        parts = [f"{number['done']} of {self._total} done", f"{number['failed']} failed", f"{number['check']} to check"]
        seconds = time.monotonic() - self._times[0]
        if len(self._times) > 1 and seconds > 0:
            speed = (len(self._times) - 1) / seconds
            parts.append(f"{60 * speed:.3g} pairs per minute")
            if finished < self._total:
                parts.append(f"{duration((self._total - finished) / speed)} left")
        parts.append("no worker yet" if not workers else counted(workers, "worker"))
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """A time in words: ``45 s``, ``12 min``, ``3 h 20 min``."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
