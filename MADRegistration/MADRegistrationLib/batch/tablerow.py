"""A row of the tables of many registrations."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table in the panel."""

    verdict: str
    color: str
    name: str
    error: str
    remark: str
