"""matplotlib as it is by default: whatever the user's ``matplotlibrc`` says, pictures look and lie as they were made,
and what matplotlib says of its own files is not printed."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from .cleanup import undo_at_the_end

VARIABLE = "MPLCONFIGDIR"
"""Environment variable in which matplotlib writes the temporary folder that it makes where the home takes none."""


@contextmanager
def plain_matplotlib() -> Iterator[None]:
    """Draw and save figures with matplotlib's own defaults; also a decorator of functions that do."""
    _load()
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


@cache
def _load() -> None:
    """Import matplotlib without its remarks, and have :func:`madreg.system.cleanup.clean_up` remove its folder."""
    is_named = VARIABLE in os.environ
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        import matplotlib.figure
        import matplotlib.font_manager  # noqa: F401  it makes a folder too
    finally:
        log.setLevel(level)
    if not is_named and VARIABLE in os.environ:
        folder = os.environ[VARIABLE]
        undo_at_the_end(lambda: shutil.rmtree(folder, ignore_errors=True))
