"""Numbers of things in words."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """``1 thread``, ``2 threads``; for things whose plural only takes an s."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
