"""What a command or the worker sets up for its whole process; never called when madreg is used as a library."""

from __future__ import annotations

import ctypes
import gc
import io
import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn, cast

from .cleanup import clean_up
from .signals import STOPPING

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
REUSED_BYTES = 32 << 20
"""Arrays up to this size take memory that was freed before: as much as glibc allows."""


def prepare() -> None:
    """Set up the process of a command or of the worker; to be called before torch is imported."""
    _open_standard_streams()
    _print_any_name()
    limit_spinning()
    collect_rarely()
    os.environ["MPLBACKEND"] = "agg"  # figures are only saved; a name that matplotlib does not know would stop it


def limit_spinning() -> None:
    """Have threads that wait go to sleep soon instead of spinning; to be called before torch is imported.

    Where another program keeps a processor busy, a thread that spins takes it away from the very thread that it waits
    for: on two busy cores a registration took 134 s with GNU OpenMP's default, 26 s without any spinning and 11 s with
    this, which on two free cores costs nothing.  Other OpenMP libraries ignore it; a choice of the user's stands.
    """
    os.environ.update(spinning_limit())


def spinning_limit() -> dict[str, str]:
    """The environment variable that limits spinning, and its value, for a process that is still to be started."""
    return {"GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT", "2000")}


def collect_rarely() -> None:
    """Look for garbage a hundred times less often than Python does, which spares torch a tenth of its loading time."""
    gc.set_threshold(100_000, 20, 20)


def reuse_memory() -> None:
    """Have arrays take memory that was freed before, as glibc does by default.

    Dask starts workers with ``MALLOC_TRIM_THRESHOLD_``, with which glibc takes every larger array from the operating
    system and returns it at once: a registration took 2.4 times as long.
    """
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # not glibc
            libc = ctypes.CDLL(None)
            libc.mallopt(M_MMAP_THRESHOLD, REUSED_BYTES)
            libc.mallopt(M_TRIM_THRESHOLD, 2 * REUSED_BYTES)


def held_bytes() -> int:
    """Memory that this process holds; 0 where that is not known (elsewhere than on Linux)."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def release_memory() -> None:
    """Return memory that is no longer used to the operating system; for between two jobs, as it takes 0.1 s.

    glibc keeps what was freed for itself: after a registration of heads some 400 MB.
    """
    gc.collect()
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # not glibc
            ctypes.CDLL(None).malloc_trim(0)


def _open_standard_streams() -> None:
    """Give a process whose stdin, stdout or stderr is closed an empty one.

    Otherwise the next file that is opened takes the number, and messages are written into it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.dup(number), mode))


def _print_any_name() -> None:
    """Print what the terminal's encoding does not have, such as in the name of a file, as an escape."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # not a file, or closed
            cast(io.TextIOWrapper, stream).reconfigure(errors="backslashreplace")


def leave(status: int) -> NoReturn:
    """End the process at once, when all is written: taking torch apart takes half a second more."""
    for number in STOPPING:
        with suppress(ValueError):  # not the main thread
            signal.signal(number, signal.SIG_IGN)  # too late to stop
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # none there, its reader gone, closed
            stream.flush()
    clean_up()
    os._exit(status)
