"""Events of jobs that wait to be fetched: several jobs, as of the panel and of a script, may share one worker."""

from __future__ import annotations

from typing import Any

LAST = ("result", "error", "lost")
"""Events after which nothing more comes of a job."""


class Inbox:
    """What the worker has said of each job that is not over."""

    def __init__(self) -> None:
        self._events: dict[int, list[dict[str, Any]]] = {}

    def expect(self, job: int) -> None:
        """From now on the events of this job are kept."""
        self._events.setdefault(job, [])

    def put(self, event: dict[str, Any]) -> None:
        """Keep an event, if its job is expected and not over."""
        events = self._events.get(event.get("job", 0))
        if events is not None and not (events and events[-1]["event"] in LAST):
            events.append(event)

    def lose(self, message: str) -> None:
        """The worker is gone: each job gets a last event.

        Args:
            message: a sentence for the user.
        """
        for job in self._events:
            self.put({"event": "lost", "job": job, "message": message})

    def take(self, job: int) -> list[dict[str, Any]]:
        """The events of a job since the last call, in their order."""
        events = self._events.pop(job, [])
        if not events or events[-1]["event"] not in LAST:
            self._events[job] = []
        return events
