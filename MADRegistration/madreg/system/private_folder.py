"""A folder that belongs to the user alone, for logs."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def private_folder() -> Path:
    """A folder of the user's own, made if need be, which nobody else can read or write, and which is no link.

    It lies where the system keeps caches or logs of a user; if that cannot be had, it is a new temporary folder.
    """
    place = _place() / "MADRegistration"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir(mode=0o700, exist_ok=True)
        about = os.lstat(place)
        if not stat.S_ISDIR(about.st_mode):
            raise NotADirectoryError(place)
        if hasattr(os, "geteuid"):
            if about.st_uid != os.geteuid():
                raise PermissionError(place)
            os.chmod(place, 0o700)
        return place
    except OSError:
        return Path(tempfile.mkdtemp(prefix="MADRegistration-"))


def _place() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Logs"
    configured = os.environ.get("XDG_CACHE_HOME", "")
    return Path(configured) if os.path.isabs(configured) else Path.home() / ".cache"


def open_private(path: str, flags: int) -> int:
    """An opener for :func:`open`: the file is for the user alone, and a link is not followed."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)
