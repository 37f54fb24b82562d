"""The line for messages, and the log."""

from __future__ import annotations

from typing import Any

from .label import setLabel
from .readablecolors import readable

ERROR_STYLE = "color: #c62828;"


class MessageWidgets:
    """The :class:`messages.MessageView`."""

    def __init__(self, ui: Any) -> None:
        self._ui = ui

    def setMessage(self, text: str, isError: bool) -> None:
        label = self._ui.messageLabel
        label.styleSheet = readable(ERROR_STYLE, label) if isError else ""
        setLabel(self._ui, label, text)

    def setLog(self, text: str) -> None:
        self._ui.logTextEdit.setPlainText(text)
