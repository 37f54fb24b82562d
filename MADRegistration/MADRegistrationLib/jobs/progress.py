"""The progress of a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Progress:
    """Where a job stands, for the panel; what is not known yet is None.

    Attributes:
        position: among many, in words; empty if there is only one.
    """

    stage: str
    fraction: float
    secondsLeft: float | None = None
    errorMm: float | None = None
    position: str = ""

    @classmethod
    def of(cls, event: dict[str, Any]) -> Progress:
        """What the worker has said."""
        return cls(event["stage"], event["fraction"], event["seconds_left"], event["error_mm"])
