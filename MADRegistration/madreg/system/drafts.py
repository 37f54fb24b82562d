"""Folders of drafts beside the files that they will become, and what dead processes left of them."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .journal import JOURNAL, undone
from .locks import locked, try_lock
from .signals import deferred_signals

PREFIX = ".madreg-"
STALE_SECONDS = 24 * 3600.0
"""After this time a folder of drafts is taken for a dead process's where the file system has no locks."""


@contextmanager
def folder_of_drafts(folder: Path) -> Iterator[Path]:
    """A folder for drafts beside their targets, removed in the end; what dead processes left there is removed first."""
    stage = descriptor = None
    try:
        with locked(folder), deferred_signals():
            _sweep(folder)
            stage = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder))
            descriptor = try_lock(stage)
        yield stage
    finally:
        with deferred_signals():
            try:
                if stage is not None and not (stage / JOURNAL).exists():
                    _remove(stage)
            finally:
                if descriptor is not None:
                    os.close(descriptor)


def _remove(stage: Path) -> None:
    """Remove a folder of drafts, if it lets itself be removed; at the second try if something was in the way."""
    for _ in range(2):
        shutil.rmtree(stage, ignore_errors=True)
        if not stage.exists():
            return


def _sweep(folder: Path) -> None:
    """Remove the drafts of processes that were killed; undo moves that they had begun."""
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _remove_if_dead(folder, Path(entry.path))


def _remove_if_dead(folder: Path, stage: Path) -> None:
    about = os.lstat(stage)
    if hasattr(os, "geteuid") and about.st_uid != os.geteuid():
        return  # another user's, whose journal is not to be trusted
    descriptor = try_lock(stage)
    if descriptor is None and time.time() - about.st_mtime < STALE_SECONDS:
        return
    try:
        if undone(folder, stage):
            _remove(stage)
    finally:
        if descriptor is not None:
            os.close(descriptor)
