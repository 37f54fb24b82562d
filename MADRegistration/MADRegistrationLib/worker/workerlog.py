"""The log of the worker, which is what it writes to standard error; that of a worker that has failed is kept."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from madreg.system.private_folder import open_private, private_folder

TAIL_BYTES = 100_000


def keptLog() -> Path:
    """Where the log of a worker that has failed stays."""
    return private_folder() / "MADRegistration-worker.log"


def keep(path: Path) -> Path:
    """Copy a log to where it stays; there is only ever one."""
    kept = keptLog()
    with contextlib.suppress(OSError):
        kept.unlink(missing_ok=True)  # a link, if somebody has put one there, not what it points to
        with open(path, "rb") as log, open(kept, "xb", opener=open_private) as copy:
            shutil.copyfileobj(log, copy)
    return kept


def tail(path: Path | None) -> str:
    """The last part of a log, or of the one that was kept if ``path`` is None; empty if there is none."""
    try:
        return (path or keptLog()).read_bytes()[-TAIL_BYTES:].decode(errors="replace")
    except OSError:
        return ""
