"""Colors of words that can be read on the background that they have, which is dark in Slicer's dark style."""

from __future__ import annotations

from typing import Any

LIGHTER = {"#2e7d32": "#81c784", "#b26a00": "#ffb74d", "#c62828": "#ef9a9a"}
"""The colors that the panel uses on a light background (green, orange, red), and those on a dark one."""


def readable(text: str, widget: Any) -> str:
    """A color, or a text that names colors, for the background of a widget."""
    import qt

    if widget.palette.color(qt.QPalette.Window).lightness() < 128:
        for color, lighter in LIGHTER.items():
            text = text.replace(color, lighter)
    return text
