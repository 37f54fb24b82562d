"""Whether an image fits into the memory of this computer, asked before anything is allocated."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from .unreadable import UnreadableError

WORKING_BYTES = 10
"""Bytes per voxel needed beside the voxels as they are stored: two float32 copies, a mask, and a margin."""


def available_bytes() -> int | None:
    """Memory in bytes that this process may still take; None where the system does not report it."""
    if sys.platform == "win32":
        return _available_on_windows()
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return min(int(line.split()[1]) * 1024, _left_in_container())
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def _left_in_container() -> int:
    """What a control group (a container, a batch job) leaves to its processes; a very large number without a limit."""
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        cached = (line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
        file = next(int(value) for key, value in cached if key == "file")
        return limit - int((group / "memory.current").read_text(encoding="ascii")) + file
    except (OSError, ValueError, StopIteration):  # no control group, or its limit is "max"
        return sys.maxsize


def _available_on_windows() -> int | None:
    class Status(ctypes.Structure):  # MEMORYSTATUSEX
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (name, ctypes.c_ulonglong) for name in ("total", "available", *"abcde")
        ]

    status = Status(length=ctypes.sizeof(Status))
    found = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return status.available if found else None


def check_fits(voxels: int, bytes_per_voxel: int) -> None:
    """Refuse an image that is too large for this computer.

    Raises:
        UnreadableError: if reading it would take more memory than there is.
    """
    needed, available = voxels * (bytes_per_voxel + WORKING_BYTES), available_bytes()
    if available is not None and needed > available:
        raise UnreadableError(
            f"declares {voxels:.3g} voxels, for which {needed / 2**30:.3g} GB of memory are needed and "
            f"{available / 2**30:.3g} GB are free: crop or resample it, or check its header"
        )
