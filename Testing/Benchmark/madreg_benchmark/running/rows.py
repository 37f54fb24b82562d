"""Rows of results in a file, one a line of JSON, so that a run that was cut off continues where it stopped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from madreg.errors import InputError


def read_rows(path: Path) -> list[dict]:
    """Rows of an earlier run; a last line that was cut off in writing is left out."""
    if not path.exists():
        return []
    rows = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            if number < len(lines) - 1:
                raise InputError(
                    f"{path} is damaged in line {number + 1}; remove it or choose another --out."
                ) from error
    return rows


def write_rows(path: Path, rows: Sequence[dict]) -> None:
    """Write a file anew, without a line that was cut off."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def append_row(path: Path, row: dict) -> None:
    """Add one row to a file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def refuse_mixture(path: Path, row: dict, what: str, now: object) -> None:
    """Refuse a row of an earlier run that was made with something else: such figures must not be mixed.

    Args:
        path: the file that holds the row.
        what: field of the row, such as ``seed``.
        now: the value that this run has.

    Raises:
        InputError: if the row has another value.
    """
    if row[what] != now:
        raise InputError(f"{path} has rows made with {what} {row[what]}, and this run has {now}; choose another --out.")
