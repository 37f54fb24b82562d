"""Columns of table nodes."""

from __future__ import annotations

import slicer
import vtk


def addColumn(table: slicer.vtkMRMLTableNode, name: str, values: list[str]) -> None:
    """A column of text at the end of a table."""
    column = vtk.vtkStringArray()
    column.SetName(name)
    for value in values:
        column.InsertNextValue(value)
    table.AddColumn(column)
