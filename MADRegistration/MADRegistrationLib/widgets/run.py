"""What runs: the progress bar, and what cannot be touched meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .label import setLabel


class RunWidgets:
    """The :class:`run.RunView`.

    Args:
        startPolling: makes the timer run that calls :meth:`panel.Panel.poll`.
    """

    def __init__(self, ui: Any, startPolling: Callable[[], None]) -> None:
        self._ui, self.poll = ui, startPolling

    def setBusy(self, isBusy: bool) -> None:
        ui = self._ui
        for one in (
            ui.fixedVolumeSelector,
            ui.movingVolumeSelector,
            ui.moveAlongCheckBox,
            ui.settingsCollapsibleButton,
            ui.masksCollapsibleButton,
            ui.outputsCollapsibleButton,
            ui.batchSelector,
            ui.batchTable,
            ui.fileTablePath,
            ui.fileFolderPath,
            ui.checkerboardButton,
            ui.edgesButton,
        ):
            one.enabled = not isBusy
        if isBusy:
            self.poll()

    def setProgress(self, text: str, percent: int | None) -> None:
        setLabel(self._ui, self._ui.progressLabel, text)
        self._ui.progressBar.setVisible(percent is not None)
        self._ui.progressBar.setValue(percent or 0)
