"""The button for many volumes, and the table of what has become of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .label import setLabel

if TYPE_CHECKING:
    from ..batch import Row


class BatchWidgets:
    """The :class:`batch.BatchView`."""

    def __init__(self, ui: Any) -> None:
        self._ui = ui

    def setBatchButton(self, text: str, isEnabled: bool, reason: str) -> None:
        self._ui.batchButton.text, self._ui.batchButton.enabled = text, isEnabled
        setLabel(self._ui, self._ui.batchReasonLabel, reason)

    def setBatchRows(self, rows: list[Row]) -> None:
        import qt

        table = self._ui.batchTable
        table.setVisible(bool(rows))
        table.setRowCount(len(rows))
        for line, row in enumerate(rows):
            for column, text in enumerate((row.verdict, row.name, row.error, row.remark)):
                item = qt.QTableWidgetItem(text)
                if column == 0 and row.color:
                    item.setForeground(qt.QBrush(qt.QColor(row.color)))
                table.setItem(line, column, item)
        table.resizeColumnsToContents()  # the last one, with the remarks, takes what is left
        table.resizeRowsToContents()
