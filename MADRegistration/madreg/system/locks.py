"""Locks on folders, which end with the process that holds them, however it ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def try_lock(folder: Path) -> int | None:
    """Lock a folder unless another process has; the lock lasts until the descriptor is closed.

    Returns:
        A file descriptor, or None where the file system has no locks.

    Raises:
        BlockingIOError: if another process holds it.
        OSError: if the folder cannot be opened.
    """
    if fcntl is None:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process holds a folder, and hold it; where there are no locks, just go on."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except InterruptedError:
            raise
        except OSError:  # a network file system without locks
            pass
        yield
    finally:
        os.close(descriptor)
