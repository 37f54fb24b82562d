"""What the worker writes to its log, for people: which job, with which settings, its stages and what came out."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from ..system.lengths import millimeters


def write(text: str) -> None:
    """One or more lines, with the time."""
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", file=sys.stderr, flush=True)


def beginning(command: Mapping[str, Any]) -> str:
    """A ``register`` command in one line."""
    settings = ", ".join(f"{name} {value}" for name, value in command["settings"].items()) or "default settings"
    return f"Registering {command['moving']['name']} to {command['fixed']['name']}: {settings}"


def ending(report: Mapping[str, Any]) -> str:
    """A report: a line for each stage, then the verdict."""
    lines = [
        f"  {stage['name']:<11} {stage['measure']:<8} {stage['before']:9.4f} to {stage['after']:9.4f} "
        f"{stage['seconds']:6.1f} s"
        for stage in report["stages"]
    ]
    before, after = (millimeters(report[name]) for name in ("error_before_mm", "error_after_mm"))
    head = f"{report['verdict']}, estimated error {before} before, {after} after, {report['seconds']:.1f} s on "
    return "\n".join([f"{head}{report['device']}", *lines, *(f"  {notice}" for notice in report["notices"])])
