"""Events of one job: what the worker has said of it since it was asked last."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .client import WorkerClient

OUT_OF_MEMORY = (
    "The computer ran out of memory: close other programs or volumes, or crop the volumes to the region of interest "
    "(module Crop Volume). Nothing was changed."
)
"""Where that was in Slicer itself."""

MESSAGE_OF_ERROR = {
    "input": "{message}",
    "memory": "The computer ran out of memory ({message}): close other programs or volumes, crop the volumes to the "
    "region of interest (module Crop Volume), or choose the CPU. Nothing was changed. The log is {log}",
    "internal": "The {job} failed ({message}): nothing was changed. The log is {log}",
}


@dataclass
class JobEvents:
    """Events of a job, in their order: any number of progress, then a result or a failure, if there is one yet.

    Attributes:
        failure: one sentence for the user.
    """

    progress: list[dict[str, Any]] = field(default_factory=list)
    result: dict[str, Any] | None = None
    failure: str | None = None


def eventsOf(client: WorkerClient, job: int, name: str = "registration") -> JobEvents:
    """What the worker has said of this job since the last call.

    Args:
        name: of the kind of job, for the user.
    """
    events = JobEvents()
    client.poll()
    for event in client.take(job):
        if event["event"] == "lost":
            events.failure = event["message"]
        elif event["event"] == "error":
            text = MESSAGE_OF_ERROR[event["kind"]]
            events.failure = text.format(job=name, message=event["message"], log=client.keepLog())
        elif event["event"] == "result":
            events.result = event
        else:
            events.progress.append(event)
        if events.failure or events.result:
            break
    return events
