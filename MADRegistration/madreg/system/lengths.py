"""Lengths in words, also of objects much smaller than a head."""

from __future__ import annotations

import math


def rounded(value: float) -> str:
    """A number with one decimal, or with so many that two digits of it are shown: ``12.3``, ``0.6``, ``0.042``."""
    if value == 0 or not math.isfinite(value) or abs(value) >= 0.095:
        return f"{value:.1f}"
    return f"{value:.{1 - math.floor(math.log10(abs(value)))}f}"


def millimeters(value: float | None) -> str:
    """``1.3 mm``, or ``unknown``."""
    return "unknown" if value is None else f"{rounded(value)} mm"
