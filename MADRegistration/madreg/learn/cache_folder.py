"""The folder for compiled code, which torch makes with the first optimizer of a process.

Nothing is compiled here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
"""Environment variable to which torch writes the path of the folder, unless the user has named one there."""


@contextmanager
def without_cache_folder() -> Iterator[None]:
    """Remove the folder if torch makes it in the block, and it is empty."""
    is_named = VARIABLE in os.environ
    yield
    if not is_named and VARIABLE in os.environ:
        with suppress(OSError):  # it holds what another program has compiled
            os.rmdir(os.environ[VARIABLE])
