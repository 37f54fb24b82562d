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
    label.setMinimumHeight(label.heightForWidth(ui.inspectCollapsibleButton.width) if text else 0)  # no line is cut off
