"""Progress of a job: of its registration, then of the error map and the files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .outputs import Outputs

if TYPE_CHECKING:
    from ..progress import Progress
    from ..system.files import Content
    from .result import Result

REGISTERING = 0.95
"""Share of the progress that is the registration."""


class JobProgress:
    """Reports to a callback, from the thread that computes.

    Args:
        callback: None if nobody listens.
    """

    def __init__(self, outputs: Outputs, callback: Callable[[Progress], None] | None) -> None:
        self._callback = callback
        self._steps = 1 + 2 * len(outputs.named())  # the error map; each file is made and written
        self._done = 0

    @property
    def registering(self) -> Callable[[Progress], None] | None:
        """The callback of the registration; None if nobody listens."""
        return None if self._callback is None else self._registering

    def _registering(self, progress: Progress) -> None:
        assert self._callback is not None
        self._callback(replace(progress, fraction=REGISTERING * progress.fraction))

    def start_writing(self, result: Result) -> None:
        """The registration is over."""
        self._result = result
        self._report()

    def watched(self, content: Content) -> Content:
        """A content that has been made, which reports when it is written."""
        self._report()

        def write(path: Path) -> None:
            self._report()
            content.write(path)

        return replace(content, write=write)

    def end(self) -> None:
        """All is written."""
        self._done = self._steps
        self._report()

    def _report(self) -> None:
        if self._callback is not None:
            from ..progress import Progress

            fraction = REGISTERING + (1 - REGISTERING) * min(self._done / self._steps, 1.0)
            self._callback(Progress("writing", fraction, self._result.transform, self._result.error_after_mm))
        self._done += 1
