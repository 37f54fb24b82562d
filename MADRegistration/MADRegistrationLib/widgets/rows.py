"""Rows of results in a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..batch import Row

MOST_SIZED = 200
"""Rows of more are not made as high as their remarks: that would take a while."""


def setRows(table: Any, rows: Sequence[Row]) -> None:
    """Fill a table, which is only there while it has rows."""
    table.setVisible(bool(rows))
    table.setRowCount(len(rows))
    for place, row in enumerate(rows):
        setRow(table, place, row)
    table.resizeColumnsToContents()  # the last one, with the remarks, takes what is left
    if len(rows) <= MOST_SIZED:
        table.resizeRowsToContents()


def setRow(table: Any, place: int, row: Row) -> None:
    """Replace one row."""
    import qt

    for column, text in enumerate((row.verdict, row.name, row.error, row.remark)):
        item = qt.QTableWidgetItem(text)
        item.setToolTip(text)
        if column == 0 and row.color:
            item.setForeground(qt.QBrush(qt.QColor(row.color)))
        table.setItem(place, column, item)
