"""Folders of drafts beside the files that they will become, and what dead processes left of them."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .journal import JOURNAL, undo
from .locks import locked, try_lock
from .signals import deferred_signals

PREFIX = ".madreg-"
STALE_SECONDS = 24 * 3600.0
"""After this time a folder of drafts is taken for a dead process's where the file system has no locks."""


@contextmanager
def folder_of_drafts(folder: Path) -> Iterator[Path]:
    """A folder for drafts beside their targets, removed in the end; what dead processes left there is removed first."""
    drafts = descriptor = None
    try:
        with locked(folder), deferred_signals():
            _sweep(folder)
            drafts = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder))
            descriptor = try_lock(drafts)
        yield drafts
    finally:
        with deferred_signals():
            try:
                if drafts is not None and not (drafts / JOURNAL).exists():
                    _remove(drafts)
            finally:
                if descriptor is not None:
                    os.close(descriptor)


def _remove(drafts: Path) -> None:
    """Remove a folder of drafts, if it lets itself be removed; at the second try if something was in the way."""
    for _ in range(2):
        shutil.rmtree(drafts, ignore_errors=True)
        if not drafts.exists():
            return


def _sweep(folder: Path) -> None:
    """Remove the drafts of processes that were killed; undo moves that they had begun."""
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _remove_if_dead(folder, Path(entry.path))


def _remove_if_dead(folder: Path, drafts: Path) -> None:
    about = os.lstat(drafts)
    if hasattr(os, "geteuid") and about.st_uid != os.geteuid():
        return  # another user's, whose journal is not to be trusted
    descriptor = try_lock(drafts)
    if descriptor is None and time.time() - about.st_mtime < STALE_SECONDS:
        return
    try:
        if undo(folder, drafts):
            _remove(drafts)
    finally:
        if descriptor is not None:
            os.close(descriptor)
