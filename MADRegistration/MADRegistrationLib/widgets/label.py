"""Labels that are only there while they say something."""

from __future__ import annotations

import re
from typing import Any

PIECE = re.compile(r"[^\s/<>&;-]+")
"""What Qt does not break at the end of a line, nor HTML."""


def setLabel(ui: Any, label: Any, text: str) -> None:
    """Show a text, or hide the label if it is empty.

    Args:
        ui: the widgets by name.
    """
    label.text = text
    label.setVisible(bool(text))
    label.setMinimumHeight(0)  # else Qt counts the former one in what it says below
    if text and label.visible:  # what is not on the screen yet has no width yet
        width = ui.inspectCollapsibleButton.width
        label.text = fitted(label, text, width)
        label.setMinimumHeight(label.heightForWidth(width))  # no line is cut off


def fitted(widget: Any, text: str, width: int) -> str:
    """A text whose names are no wider than a line; letters in the middle give way."""
    import qt

    metrics = widget.fontMetrics()
    return PIECE.sub(lambda piece: metrics.elidedText(piece.group(), qt.Qt.ElideMiddle, width), text)
