"""The button for many volumes, and the table of what has become of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .label import setLabel
from .rows import setRows

if TYPE_CHECKING:
    from ..batch.tablerow import Row


class BatchWidgets:
    """The :class:`volumebatch.BatchView`."""

    def __init__(self, ui: Any) -> None:
        self._ui = ui

    def setBatchButton(self, text: str, isEnabled: bool, reason: str) -> None:
        self._ui.batchButton.text, self._ui.batchButton.enabled = text, isEnabled
        setLabel(self._ui, self._ui.batchReasonLabel, reason)

    def setBatchRows(self, rows: list[Row]) -> None:
        setRows(self._ui.batchTable, rows)
