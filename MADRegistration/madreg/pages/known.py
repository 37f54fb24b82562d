"""Which numbers of a report say something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_unknown(report: Mapping[str, Any], key: str) -> bool:
    """Whether a number says nothing: of what failed, blocks that agree nowhere may show small local errors."""
    return report.get(key) is None or (key == "worst_mm" and report.get("verdict") == "failed")
