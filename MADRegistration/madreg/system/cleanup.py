"""What must not outlive a process that ends at once: its temporary folders, and the processes that it started."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError

_pending: dict[object, Callable[[], object]] = {}
_lock = threading.Lock()
"""Held while something is made that has to be undone, and from :func:`clean_up` on."""


@contextmanager
def undone_at_the_end(undo: Callable[[], object]) -> Iterator[None]:
    """Have :func:`clean_up` call ``undo`` if it is called while the block runs in another thread."""
    key = object()
    _pending[key] = undo
    try:
        yield
    finally:
        _pending.pop(key, None)


def undo_at_the_end(undo: Callable[[], object]) -> None:
    """Have :func:`clean_up` call ``undo``."""
    _pending[object()] = undo


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that is removed after the block, and by :func:`clean_up`.

    Raises:
        InputError: if none can be made.
    """
    key = object()
    with _lock:
        with temporary_files():
            place = tempfile.TemporaryDirectory(prefix="madreg-", ignore_cleanup_errors=True)
        _pending[key] = lambda: _remove(place.name)
    try:
        with place:
            yield Path(place.name)
    finally:
        _pending.pop(key, None)


@contextmanager
def temporary_files() -> Iterator[None]:
    """Turn what goes wrong with a temporary file in the block into an InputError.

    It is not to be taken for a fault of the file of the user that is read meanwhile.
    """
    try:
        yield
    except OSError as error:
        raise InputError(
            f"No temporary file can be written ({error.strerror or 'it was not complete'}): free space where temporary "
            "files go, or name another folder in the environment variable TMPDIR."
        ) from error


def clean_up() -> None:
    """Undo what is pending in all threads, the latest first; the process has to end directly after it.

    Nothing can be printed any more: what the threads say of files that are gone is of no use.
    """
    _lock.acquire(timeout=1)  # and keep it: no thread makes another folder
    if _pending:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    while _pending:
        try:
            _, undo = _pending.popitem()
        except KeyError:  # its thread was faster
            return
        undo()


def _remove(folder: str) -> None:
    """Remove a folder, at the second try if a thread has just added to it."""
    for _ in range(2):
        shutil.rmtree(folder, ignore_errors=True)
