"""What commands say of an alignment, a line for each thing."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..system.lengths import millimeters
from .messages import printable

ADVICE = {"aligned": "confirm it by looking at the images", "check": "look at the overlay before you use it"}
"""What to do after a verdict."""


def print_notices(notices: Iterable[str]) -> None:
    """Notices on stderr."""
    for notice in notices:
        print(printable(f"Note: {notice}"), file=sys.stderr)


def lines(pairs: Iterable[tuple[str, str | None]]) -> str:
    """Names and values below each other; those without value are left out."""
    return "\n".join(f"{name:<16} {printable(text)}" for name, text in pairs if text is not None)


def error_line(error: str | None, report: dict[str, Any]) -> tuple[str, str | None]:
    """The estimated error, and the bound of a report that has one."""
    bound = report.get("bound_mm")
    if error is None or bound is None:
        return "estimated error", error
    return "estimated error", f"{error}; at most {millimeters(bound)} in 95 % of cases"


def structure_lines(report: dict[str, Any]) -> list[tuple[str, str | None]]:
    """The error of each structure of a report."""
    found: list[tuple[str, str | None]] = []
    for one in report.get("structures", []):
        errors = "unknown"
        if one["mean_mm"] is not None:
            bound = "" if one["bound_mm"] is None else f", at most {millimeters(one['bound_mm'])} in 95 % of cases"
            errors = f"{millimeters(one['mean_mm'])} on average{bound}; largest {millimeters(one['largest_mm'])}"
        found.append(("structure", f"{one['name']}: {errors}"))
    return found


def written(paths: Sequence[Path]) -> str:
    """The files that were written."""
    return ", ".join(str(path) for path in paths) or "nothing"


def output_paths(args: Any, *names: str) -> dict[str, Any]:
    """Outputs of a command line, by the name of their argument."""
    return {name: None if getattr(args, name) is None else Path(getattr(args, name)) for name in names}
