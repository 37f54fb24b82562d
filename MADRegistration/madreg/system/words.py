"""Numbers in words."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """``1 thread``, ``2 threads``; for things whose plural only takes an s."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def millimeters(length: float | None) -> str:
    """``1.3 mm``, or ``unknown``."""
    return "unknown" if length is None else f"{length:.1f} mm"
