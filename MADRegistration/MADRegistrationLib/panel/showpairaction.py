"""Showing a pair of one of the two tables."""

from __future__ import annotations

from collections.abc import Callable

from madreg.errors import InputError

from ..messages import Messages
from .controllers import Controllers


class ShowPairAction:
    """What a double-click on a line does.

    Args:
        onChange: called when another pair is chosen.
    """

    def __init__(self, messages: Messages, controllers: Controllers, onChange: Callable[[], None]) -> None:
        self._messages, self._controllers, self._onChange = messages, controllers, onChange

    def onRow(self, row: int) -> None:
        """Show a pair of the table of many volumes."""
        parameters, moving = self._controllers.selection.parameters, self._controllers.batch.volumeOf(row)
        if self._controllers.run.isRunning or moving is None or parameters is None:
            return
        parameters.movingVolume = moving
        self._onChange()
        self._controllers.pictures.showResult(isFar=False)
        self._onChange()

    def onFileRow(self, row: int) -> None:
        """Load and show a pair of the table of files."""
        if self._controllers.run.isRunning or self._controllers.selection.parameters is None:
            return
        try:
            isRegistered = self._controllers.files.show(row)
        except InputError as error:
            return self._messages.setMessage(str(error), True)
        self._onChange()
        if isRegistered:
            self._controllers.pictures.showResult(isFar=True)
        else:
            self._controllers.inspection.showPair()
        self._onChange()
