"""What the panel says in one line, and the log."""

from __future__ import annotations

from typing import Protocol


class MessageView(Protocol):
    """What the widget can show of it."""

    def setMessage(self, text: str, isError: bool) -> None: ...
    def setLog(self, text: str) -> None: ...
