"""Showing a pair of one of the two tables."""

from __future__ import annotations

from collections.abc import Callable

from madreg.errors import InputError

from .messages import Messages
from .parts import Parts


class Showing:
    """What a double-click on a line does.

    Args:
        onChange: called when another pair is chosen.
    """

    def __init__(self, messages: Messages, parts: Parts, onChange: Callable[[], None]) -> None:
        self._messages, self._parts, self._onChange = messages, parts, onChange

    def onRow(self, row: int) -> None:
        """Show a pair of the table of many volumes."""
        parameters, moving = self._parts.selection.parameters, self._parts.batch.volumeOf(row)
        if self._parts.run.isRunning or moving is None or parameters is None:
            return
        parameters.movingVolume = moving
        self._onChange()
        self._parts.pictures.showResult(isFar=False)
        self._onChange()

    def onFileRow(self, row: int) -> None:
        """Load and show a pair of the table of files."""
        if self._parts.run.isRunning or self._parts.selection.parameters is None:
            return
        try:
            isRegistered = self._parts.files.show(row)
        except InputError as error:
            return self._messages.setMessage(str(error), True)
        self._onChange()
        if isRegistered:
            self._parts.pictures.showResult(isFar=True)
        else:
            self._parts.inspection.showPair()
        self._onChange()
