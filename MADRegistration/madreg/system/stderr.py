"""Keep what C libraries print off stderr, where the user reads our own sentence about it.

That changes a file descriptor of the whole process, so it happens only in a process that asked for it with
:func:`allow_suppression`, as the command line does.  In any other process :func:`suppressed` does nothing.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_allowed = 0  # blocks of allow_suppression
_suppressing = 0  # blocks of suppressed, in all threads
_saved = -1  # where stderr went before; -1 while it goes there


@contextmanager
def allow_suppression() -> Iterator[None]:
    """Have :func:`suppressed` work in this process while the block runs.

    Afterwards stderr is there, even if another thread is still in a block of :func:`suppressed`.
    """
    global _allowed
    with _lock:
        _allowed += 1
    try:
        yield
    finally:
        with _lock:
            _allowed -= 1
            if not _allowed:
                _give_back()


@contextmanager
def suppressed() -> Iterator[None]:
    """Send the process's stderr nowhere, below Python: ITK and its libraries write there directly.

    Threads may overlap: the last one to end gives it back.
    """
    global _suppressing
    with _lock:
        _suppressing += 1
        if _allowed:
            _take()
    try:
        yield
    finally:
        with _lock:
            _suppressing -= 1
            if not _suppressing:
                _give_back()


def _take() -> None:
    global _saved
    if _saved != -1:
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    _saved = saved


def _give_back() -> None:
    global _saved
    if _saved == -1:
        return
    os.dup2(_saved, 2)
    os.close(_saved)
    _saved = -1
