"""What the panel says in one line, and the log."""

from __future__ import annotations

from typing import Protocol


class MessageView(Protocol):
    """What the widget can show of it."""

    def setMessage(self, text: str, isError: bool) -> None: ...
    def setLog(self, text: str) -> None: ...


class Messages:
    """The :class:`MessageView` with a memory of what it shows."""

    def __init__(self, view: MessageView) -> None:
        self._view = view
        self._shown = ""

    def setMessage(self, text: str, isError: bool) -> None:
        """Show a sentence in place of the one before; none if it is empty."""
        self._shown = text
        self._view.setMessage(text, isError)

    def withdraw(self, text: str) -> None:
        """What a sentence says no longer holds: it goes, if it is still shown."""
        if text and text == self._shown:
            self.setMessage("", False)

    def setLog(self, text: str) -> None:
        """Show the log."""
        self._view.setLog(text)
