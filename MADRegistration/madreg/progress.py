"""Progress of a registration, its finished stages, and how it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .image.transform import Transform


class Cancelled(Exception):
    """Raised by a progress callback to stop a registration."""


@dataclass(frozen=True)
class Progress:
    """Where a registration stands.

    Attributes:
        stage: name of the stage.
        fraction: share of the whole run that is done, 0 to 1.
        transform: the best one so far, fixed to moving, LPS mm.
        error_mm: its estimated error; None while it is unknown.
    """

    stage: str
    fraction: float
    transform: Transform
    error_mm: float | None = None


@dataclass(frozen=True)
class StageRecord:
    """One finished stage: the measure's value before and after (lower is better), and the time it took."""

    name: str
    measure: str
    before: float
    after: float
    seconds: float


@dataclass
class _Run:
    """What all parts of one run share."""

    callback: Callable[[Progress], None] | None = None
    error_mm: float | None = None
    records: list[StageRecord] = field(default_factory=list)


class Monitor:
    """A part of a run: reports progress within its share of the whole, and records the stages that are finished.

    Args:
        callback: called with :class:`Progress`, from the thread that computes; may raise :class:`Cancelled`.
    """

    def __init__(self, callback: Callable[[Progress], None] | None = None) -> None:
        self._run, self._begin, self._end = _Run(callback), 0.0, 1.0

    def part(self, begin: float, end: float) -> Monitor:
        """The part of this one from one share of it to another."""
        inner, length = Monitor.__new__(Monitor), self._end - self._begin
        inner._run = self._run
        inner._begin, inner._end = self._begin + begin * length, self._begin + end * length
        return inner

    @property
    def is_watched(self) -> bool:
        """Whether progress is reported to a callback."""
        return self._run.callback is not None

    @property
    def records(self) -> list[StageRecord]:
        """All stages of the run that are finished."""
        return self._run.records

    def report(self, stage: str, share: float, transform: Transform) -> None:
        """Report how much of this part is done."""
        if self._run.callback:
            fraction = self._begin + share * (self._end - self._begin)
            self._run.callback(Progress(stage, fraction, transform, self._run.error_mm))

    def estimated(self, error_mm: float | None) -> None:
        """Set the estimated error, which is reported from now on."""
        self._run.error_mm = error_mm

    def record(self, record: StageRecord) -> None:
        """Record a finished stage."""
        self._run.records.append(record)
