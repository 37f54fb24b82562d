"""Which stored reports the panel can show: those of another version may hold other things."""

from __future__ import annotations

from typing import Any

from ..scene.storedvalues import isNumber
from .verdict import COLORS

_PERHAPS = ("error_before_mm", "error_after_mm", "bound_mm", "worst_mm", "moved_mm")
"""Lengths that may be missing or unknown."""


def isReadable(report: dict[str, Any]) -> bool:
    """Whether :mod:`reporttext` can say what a report holds."""
    structures, notices = report.get("structures", []), report.get("notices", [])
    return (
        report.get("verdict", "check") in COLORS
        and all(isNumber(report.get(name)) for name in ("overlap", "seconds"))
        and "device" in report
        and all(report.get(name) is None or isNumber(report[name]) for name in _PERHAPS)
        and isNumber(report.get("rotation_degrees", 0))
        and isNumber(scale := report.get("volume_scale", 1))
        and scale > 0
        and isinstance(structures, list)
        and all(map(_isStructure, structures))
        and isinstance(notices, list)
        and all(isinstance(notice, str) for notice in notices)
    )


def _isStructure(one: Any) -> bool:
    return (
        isinstance(one, dict)
        and isinstance(one.get("name"), str)
        and all(name in one and (one[name] is None or isNumber(one[name])) for name in ("mean_mm", "bound_mm"))
    )
