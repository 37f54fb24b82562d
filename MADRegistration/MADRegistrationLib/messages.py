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
        self._shown, self._isError = "", False
        self._subject: object = None

    def setMessage(self, text: str, isError: bool) -> None:
        """Show a sentence in place of the one before; none if it is empty."""
        self._shown, self._isError = text, isError
        self._view.setMessage(text, isError)

    def withdraw(self, text: str) -> None:
        """What a sentence says no longer holds: it goes, if it is still shown."""
        if text and text == self._shown:
            self.setMessage("", False)

    def withdrawError(self) -> None:
        """An error that is still shown goes."""
        if self._isError:
            self.setMessage("", False)

    def follow(self, subject: object) -> None:
        """What the panel is about now, such as two volumes: an error that was said of others goes."""
        if subject != self._subject:
            self._subject = subject
            self.withdrawError()

    def setLog(self, text: str) -> None:
        """Show the log."""
        self._view.setLog(text)
