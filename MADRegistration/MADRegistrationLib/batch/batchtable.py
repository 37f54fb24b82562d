"""Results of many registrations as a table node."""

from __future__ import annotations

import slicer

from madreg.pages.known import is_unknown
from madreg.system.lengths import rounded

from ..jobs.registration import SceneRegistration
from ..results import verdict
from ..scene.tablecolumns import addColumn

NUMBERS = {
    "Error before (mm)": ("error_before_mm", 1),
    "Error after (mm)": ("error_after_mm", 1),
    "Error bound (mm)": ("bound_mm", 1),
    "Largest local error (mm)": ("worst_mm", 1),
    "Overlap (%)": ("overlap", 100),
    "Translation (mm)": ("moved_mm", 1),
    "Rotation (degrees)": ("rotation_degrees", 1),
    "Time (s)": ("seconds", 1),
}
"""Columns, with the key of the report and the factor to the unit of the column."""


def fill(table: slicer.vtkMRMLTableNode, registrations: list[SceneRegistration]) -> None:
    """Replace the contents of a table by one row for each registration, finished or not."""
    table.RemoveAllColumns()
    addColumn(table, "Verdict", [verdictOf(one) for one in registrations])
    addColumn(table, "Moving volume", [one.moving.GetName() for one in registrations])
    used = [one.inputs.movingMask for one in registrations]
    addColumn(table, "Moving mask", ["" if mask is None else mask.GetName() for mask in used])
    for name, (key, factor) in NUMBERS.items():
        known = [{} if is_unknown(one.report, key) else one.report for one in registrations]
        addColumn(table, name, [rounded(factor * report[key]) if report else "" for report in known])
    addColumn(table, "Remark", [one.message for one in registrations])


def verdictOf(registration: SceneRegistration) -> str:
    """One word for a registration: its verdict, or why there is none."""
    if registration.report:
        return verdict.verdictOf(registration.report)[0]
    return "not started" if registration.state == "new" else registration.state
