"""Choosing a pair elsewhere than in the selectors: in one of the tables, or by the context menu of a volume."""

from __future__ import annotations

from collections.abc import Callable

import slicer

from madreg.errors import InputError

from ..messages import Messages
from ..translation import _
from .controllers import Controllers


class ChoosePairAction:
    """What a double-click on a line does, and the entry of the context menu.

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
        self._messages.withdrawError()
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

    def onVolume(self, volume: slicer.vtkMRMLScalarVolumeNode) -> None:
        """This volume is to be registered next."""
        parameters = self._controllers.selection.parameters
        if self._controllers.run.isRunning:  # the panel would show another pair than the one that is registered
            text = _('"{volume}" was not chosen: wait for the end, or press Cancel.').format(volume=volume.GetName())
            return self._messages.setMessage(text, False)
        if parameters.fixedVolume is volume:
            parameters.fixedVolume = None
        parameters.movingVolume = volume
