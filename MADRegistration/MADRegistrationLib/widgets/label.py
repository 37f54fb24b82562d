"""Labels that are only there while they say something."""

from __future__ import annotations

from typing import Any


def setLabel(ui: Any, label: Any, text: str) -> None:
    """Show a text, or hide the label if it is empty.

    Args:
        ui: the widgets by name.
    """
    label.text = text
    label.setVisible(bool(text))
    label.setMinimumHeight(0)  # else Qt counts the former one in what it says below
    if text and label.visible:  # what is not on the screen yet has no width yet
        label.setMinimumHeight(label.heightForWidth(ui.inspectCollapsibleButton.width))  # no line is cut off
