"""Sharing processors with other programs."""

from __future__ import annotations

import os


def let_others_work() -> None:
    """Have threads that wait go to sleep instead of spinning; to be called before torch is imported.

    Where another program keeps a processor busy, a thread that spins takes it away from the thread it waits for: on two
    busy cores a registration took 134 s with torch's default and 26 s with this.  A choice of the user's stands.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
