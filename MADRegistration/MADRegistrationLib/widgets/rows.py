"""Rows of results in a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .readablecolors import readable

if TYPE_CHECKING:
    from ..batch.tablerow import Row

NAME, REMARK = 1, 3
"""Columns."""

WIDEST_NAME, NARROWEST_REMARK = 90, 110
"""Pixels."""

MOST_SIZED = 200
"""A table of more rows is not fitted to each: that would take a while."""


def setRows(table: Any, rows: Sequence[Row]) -> None:
    """Fill a table, which is only there while it has rows."""
    table.setVisible(bool(rows))
    table.setRowCount(len(rows))
    for place, row in enumerate(rows):
        _fill(table, place, row)
    _fit(table)


def setRow(table: Any, place: int, row: Row) -> None:
    """Replace one row."""
    _fill(table, place, row)
    if table.rowCount <= MOST_SIZED:
        _fit(table)


def _fit(table: Any) -> None:
    """Columns as wide as their texts, but names cut off, so that remarks are in sight; rows as high as these."""
    table.resizeColumnsToContents()
    table.setColumnWidth(NAME, min(table.columnWidth(NAME), WIDEST_NAME))
    others = sum(table.columnWidth(column) for column in range(REMARK))
    table.setColumnWidth(REMARK, max(table.viewport().width - others, NARROWEST_REMARK))
    if table.rowCount <= MOST_SIZED:
        table.resizeRowsToContents()


def _fill(table: Any, place: int, row: Row) -> None:
    import qt

    for column, text in enumerate((row.verdict, row.name, row.error, row.remark)):
        item = qt.QTableWidgetItem(text)
        item.setToolTip(text)
        if column == 0 and row.color:
            item.setForeground(qt.QBrush(qt.QColor(readable(row.color, table))))
        table.setItem(place, column, item)
