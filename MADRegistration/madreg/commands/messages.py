"""Text for a terminal."""

from __future__ import annotations

STOPPED = "Stopped: every output is either complete or as it was before."


def printable(text: str) -> str:
    """A text on one line, whatever the names in it hold."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
