"""Run something in a forked child of this process, which has loaded everything already, and see how it ends."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from madreg.system.cleanup import clean_up

from . import outcomes

MEMORY = 4 << 30  # bytes that a child may allocate
POLL_SECONDS = 0.004
BLOCKED = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Ending:
    """How a child ended: its status (negative: the signal), whether it had to be killed, and what it printed."""

    status: int
    hung: bool
    out: str
    err: str
    seconds: float

    @property
    def fault(self) -> str | None:
        """What is wrong with it whatever was tried, or None."""
        if self.hung:
            return outcomes.HANG
        if self.status < 0:
            return outcomes.SIGNAL
        if "Traceback" in self.err or self.status == 99:
            return outcomes.TRACEBACK
        if self.status in (1, 2) and (self.err.count("\n") != 1 or len(self.err) < 20):
            return outcomes.STRANGE
        return None

    def brief(self) -> str:
        """The end of what it said, on one line."""
        return f"status {self.status}: {' '.join(self.err.split())[-300:]}"


def run(
    function: Callable[[], int],
    limit: float = 30.0,
    signals: tuple[tuple[float, int], ...] = (),
    files: int = -1,
    prepare: Callable[[], None] = lambda: None,
) -> Ending:
    """Call ``function`` in a child, whose exit status is what it returns.

    Args:
        limit: seconds after which the child is killed.
        signals: seconds after the start, and the signal to send then.
        files: bytes that a file may have, as on a full disk; -1 for no limit.
        prepare: what the child does before signals reach it.
    """
    pipes = [os.pipe() for _ in range(2)]  # not files, which could be too large as well
    sys.stdout.flush()
    began = time.monotonic()
    signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
    child = os.fork()
    if child == 0:
        os.dup2(pipes[0][1], 1)
        os.dup2(pipes[1][1], 2)
        prepare()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
        _be_child(function, files)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
    streams = []
    for read, write in pipes:
        os.close(write)
        os.set_blocking(read, False)
        streams.append(read)
    status, hung, texts = _wait(child, began, limit, list(signals), streams)
    seconds = time.monotonic() - began
    for stream in streams:
        os.close(stream)
    return Ending(os.waitstatus_to_exitcode(status), hung, *texts, seconds)


def _be_child(function: Callable[[], int], files: int) -> None:
    try:
        sys.stdout, sys.stderr = (os.fdopen(n, "w", errors="backslashreplace") for n in (1, 2))  # as the command has
        with open("/proc/self/statm") as stream:
            used = int(stream.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
        if files >= 0:
            resource.setrlimit(resource.RLIMIT_FSIZE, (files, resource.RLIM_INFINITY))
        status = function()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
        status = 99
    try:
        sys.stdout.flush()
        sys.stderr.flush()
        clean_up()  # as madreg.system.process.leave does
    finally:
        os._exit(status)


def _wait(
    child: int, began: float, limit: float, signals: list[tuple[float, int]], streams: list[int]
) -> tuple[int, bool, list[str]]:
    """The status of a child, whether it had to be killed, and what it printed."""
    hung, printed = False, [b"", b""]
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        for number, stream in enumerate(streams):
            with suppress(BlockingIOError):
                while data := os.read(stream, 1 << 16):
                    printed[number] += data
        if done:
            return status, hung, [text.decode("utf-8", "replace") for text in printed]
        now = time.monotonic() - began
        if signals and now >= signals[0][0]:
            os.kill(child, signals.pop(0)[1])
        if now > limit and not hung:
            hung = True
            os.kill(child, signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def leftovers() -> list[Path]:
    """Temporary folders that children left behind; they are removed."""
    found = list(Path(tempfile.gettempdir()).glob("madreg-*"))
    for folder in found:
        shutil.rmtree(folder, ignore_errors=True)
    return found
