"""Sharing processors with other programs, and not keeping anybody waiting."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import NoReturn


def let_others_work() -> None:
    """Have threads that wait go to sleep soon instead of spinning; to be called before torch is imported.

    Where another program keeps a processor busy, a thread that spins takes it away from the very thread that it waits
    for: on two busy cores a registration took 134 s with GNU OpenMP's default, 26 s without any spinning and 11 s with
    this, which on two free cores costs nothing.  Other OpenMP libraries ignore it; a choice of the user's stands.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")


def leave(status: int) -> NoReturn:
    """End the process at once, when all is written: taking torch apart takes half a second more."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # none there, its reader gone, closed
            stream.flush()
    os._exit(status)
