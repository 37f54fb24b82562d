"""The registrations of one run, in their order."""

from __future__ import annotations

from collections.abc import Sequence

from ..jobs.registration import SceneRegistration


class Queue:
    """What is to be done, and what has been.

    Attributes:
        registrations: all of them; those that were not reached are ``new``.
    """

    def __init__(self, registrations: Sequence[SceneRegistration] = ()) -> None:
        self.registrations = list(registrations)
        self._left = list(registrations)

    def take(self) -> SceneRegistration | None:
        """The next one, or None at the end."""
        return self._left.pop(0) if self._left else None

    def drop(self) -> None:
        """No further one is taken."""
        self._left.clear()

    @property
    def position(self) -> str:
        """Of the one that was taken last: ``2/5``."""
        number = len(self.registrations)
        return f"{number - len(self._left)}/{number}"

    @property
    def done(self) -> list[SceneRegistration]:
        """The registrations with a result."""
        return [one for one in self.registrations if one.state == "done"]
