"""Keep what C libraries print off stderr, where the user reads our own sentence about it.

That changes a file descriptor of the whole process, so it happens only in a process that asked for it with
:func:`allow_silencing`, as the command line does.  In any other process :func:`silenced` does nothing.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_allowed = 0  # blocks of allow_silencing
_silent = 0  # blocks of code that want it, in all threads
_saved = -1  # where stderr went before


@contextmanager
def allow_silencing() -> Iterator[None]:
    """Have :func:`silenced` work in this process while the block runs."""
    global _allowed
    with _lock:
        _allowed += 1
    try:
        yield
    finally:
        with _lock:
            _allowed -= 1


@contextmanager
def silenced() -> Iterator[None]:
    """Send the process's stderr nowhere, below Python: ITK and its libraries write there directly.

    Threads may overlap: the last one to end gives it back.
    """
    if not _begin():
        yield
        return
    try:
        yield
    finally:
        _end()


def _begin() -> bool:
    global _silent, _saved
    with _lock:
        if not _allowed:
            return False
        if not _silent:
            if sys.stderr is not None:
                sys.stderr.flush()
            _saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
        _silent += 1
        return True


def _end() -> None:
    global _silent
    with _lock:
        _silent -= 1
        if not _silent:
            os.dup2(_saved, 2)
            os.close(_saved)
