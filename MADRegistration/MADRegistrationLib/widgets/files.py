"""The button for many files, and the table of what has become of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .label import setLabel
from .rows import setRow, setRows

if TYPE_CHECKING:
    from ..batch.tablerow import Row


class FilesWidgets:
    """The :class:`filebatch.FilesView`."""

    def __init__(self, ui: Any) -> None:
        self._ui = ui

    def setFilesButton(self, text: str, isEnabled: bool, reason: str) -> None:
        self._ui.filesButton.text, self._ui.filesButton.enabled = text, isEnabled
        setLabel(self._ui, self._ui.filesReasonLabel, reason)

    def setFileRows(self, rows: list[Row]) -> None:
        setRows(self._ui.filesTable, rows)

    def setFileRow(self, place: int, row: Row) -> None:
        setRow(self._ui.filesTable, place, row)
