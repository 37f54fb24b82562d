"""What the client needs of a process, and two of them: Python's own, and Qt's for inside Slicer."""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import ClassVar, Protocol

END_MS = 3000
"""A process that was killed is gone after so many milliseconds, whatever memory it has to give back."""


class Process(Protocol):
    """A child process whose lines are collected without blocking."""

    def start(self, arguments: list[str], logPath: Path) -> None:
        """Start the program; its standard error goes to a file.  OSError if it cannot be started."""

    def write(self, line: bytes) -> None:
        """Send to its standard input."""

    def readLines(self) -> list[bytes]:
        """All complete lines that it has written since the last call."""

    def isRunning(self) -> bool:
        """False as soon as it has ended."""

    def kill(self) -> None:
        """End it now, and close its standard input, which also ends a worker behind a launcher."""


class SubprocessProcess:
    """A process by Python's subprocess module, for scripts and tests outside Slicer.

    A thread copies lines to a queue and touches nothing else.  (Inside Slicer it would only run while Python does;
    there :class:`QtProcess` is used.)
    """

    def start(self, arguments: list[str], logPath: Path) -> None:
        with open(logPath, "wb") as log:
            self._process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        self._lines: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self) -> None:
        with self._process.stdout as stream:
            for line in stream:
                self._lines.put(line)

    def write(self, line: bytes) -> None:
        with contextlib.suppress(OSError):  # it has ended; isRunning says so
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def readLines(self) -> list[bytes]:
        lines = []
        while not self._lines.empty():
            lines.append(self._lines.get())
        return lines

    def isRunning(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait(timeout=5)


class QtProcess:
    """A process by Qt, which Slicer's event loop serves: no thread."""

    _alive: ClassVar[list[QtProcess]] = []
    """Started, and perhaps not gone yet: Qt complains of a QProcess that is destroyed before its process has ended."""

    def start(self, arguments: list[str], logPath: Path) -> None:
        import qt

        self._rest = b""
        self._process = qt.QProcess()
        self._notRunning = qt.QProcess.NotRunning
        self._process.setStandardErrorFile(str(logPath))
        self._process.start(arguments[0], arguments[1:])
        if not QtProcess._alive:
            atexit.register(QtProcess._endAll)
        QtProcess._alive = [process for process in QtProcess._alive if process.isRunning()] + [self]

    def write(self, line: bytes) -> None:
        self._process.write(line)

    def readLines(self) -> list[bytes]:
        data = self._process.readAllStandardOutput().data()
        *lines, self._rest = (self._rest + (data.encode() if isinstance(data, str) else bytes(data))).split(b"\n")
        return lines

    def isRunning(self) -> bool:
        return self._process.state() != self._notRunning

    def kill(self) -> None:
        self._process.closeWriteChannel()
        self._process.kill()

    @classmethod
    def _endAll(cls) -> None:
        """Slicer ends: no process outlives its QProcess."""
        for process in cls._alive:
            process.kill()
        for process in cls._alive:
            process._process.waitForFinished(END_MS)
        cls._alive = []


def pythonOfSlicer() -> str:
    """The Python interpreter that Slicer brings for scripts; outside Slicer, the one that runs this."""
    return shutil.which("PythonSlicer") or sys.executable


def killGroup(pid: int) -> None:
    """Kill a worker and everything it started; nothing happens if it is gone.

    Args:
        pid: of the worker itself (not of a launcher before it), which leads a process group of its own.
    """
    if os.name == "nt":
        subprocess.run(
            ["taskkill", "/T", "/F", "/PID", str(pid)],
            capture_output=True,
            check=False,
            creationflags=subprocess.CREATE_NO_WINDOW,
        )
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
