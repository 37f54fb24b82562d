"""Doing tasks on the workers of a Dask cluster: one at a time on each, and each task once more if it fails.

The tasks are handed out here rather than by Dask's scheduler, so that it is known which one was running on a worker
that ended: only that one counts as failed, and it is tried again after all others, on another worker.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ..errors import InputError
from ..system.process import held_bytes, release_memory, reuse_memory
from .manifest import Entry
from .work import ATTEMPTS, Task, failure, register_pair

if TYPE_CHECKING:
    from distributed import Client, Future

LOOK_SECONDS = 0.5
"""Time between two looks at which workers there are."""
GATHER_SECONDS = 1.0
"""Time to wait for the entry of a finished task before it is seen whether its worker is still there."""
GRACE_SECONDS = 60.0
"""Time that a worker has to end after the limit of its task; then it is given up."""
HELD_BYTES = 1_000_000_000
"""A worker that holds more after a pair returns what it does not use; for less, the next pair takes it again."""
KILLED = (
    "The process that registered this pair ended each time, perhaps for lack of memory: give smaller images, or use "
    "fewer --workers."
)
LATE = (
    "This pair was not registered within {minutes:g} minutes: give smaller images, or a longer --time-limit with "
    "--retry-failed."
)

Work = Callable[[Task], Entry]


@dataclass
class _Attempt:
    """A task, how often it has been tried, on which worker it failed, and when this try began."""

    task: Task
    number: int = 1
    failed_on: str | None = None
    began: float = field(default_factory=time.monotonic)

    def is_late(self, grace: float = 0.0) -> bool:
        """Whether its time is over."""
        limit = self.task["limit"]
        return limit is not None and time.monotonic() - self.began > limit + grace


class Dispatcher:
    """Hands tasks to workers and collects their entries.

    Args:
        client: of the cluster.
        record: called, from the thread that runs, with the entry of every task once.
        work: what a worker does with a task.
        watch: called about twice a second with the number of workers.
        patience: after so many seconds without any worker the run ends; None waits for ever.
    """

    def __init__(
        self,
        client: Client,
        record: Callable[[Entry], None],
        work: Work = register_pair,
        watch: Callable[[int], None] | None = None,
        patience: float | None = None,
    ) -> None:
        self._client, self._record, self._work, self._watch, self._patience = client, record, work, watch, patience
        self._waiting: deque[_Attempt] = deque()
        self._running: dict[str, tuple[Future, _Attempt]] = {}
        self._finished: queue.SimpleQueue[tuple[str, Future]] = queue.SimpleQueue()
        self._workers: set[str] = set()
        self._given_up: set[str] = set()

    def run(self, tasks: Iterable[Task]) -> None:
        """Do all tasks.

        Raises:
            InputError: if the scheduler or, for longer than the patience, all workers are gone.
        """
        self._waiting.extend(_Attempt(task) for task in tasks)
        looked, had_workers = float("-inf"), time.monotonic()
        while self._waiting or self._running:
            now = time.monotonic()
            if now - looked > LOOK_SECONDS:
                looked = now
                self._look()
                had_workers = now if self._workers else had_workers
                if self._patience is not None and now - had_workers > self._patience:
                    raise InputError("No worker is left: run the same command again to go on, with fewer --workers.")
            for worker in sorted(self._workers - self._running.keys()):
                self._start(worker)
            self._collect()

    def _look(self) -> None:
        """See which workers there are; what ran on those that are gone is tried again."""
        try:
            self._workers = set(self._client.nthreads())
        except (OSError, RuntimeError, TimeoutError) as error:
            raise InputError("The scheduler does not answer any more: run the same command again to go on.") from error
        self._given_up |= {worker for worker, (_, one) in self._running.items() if one.is_late(GRACE_SECONDS)}
        self._workers -= self._given_up
        for worker in self._running.keys() - self._workers:
            self._lose(worker)
        if self._watch is not None:
            self._watch(len(self._workers))

    def _start(self, worker: str) -> None:
        """Have an idle worker do the next task that it may do."""
        attempt = self._next(worker)
        if attempt is None:
            return
        attempt.began = time.monotonic()
        future = _submitted(self._client, self._work, attempt.task, worker)
        self._running[worker] = future, attempt
        future.add_done_callback(lambda done: self._finished.put((worker, done)))

    def _next(self, worker: str) -> _Attempt | None:
        """The first task that did not fail on this worker, unless there is no other worker."""
        for place, attempt in enumerate(self._waiting):
            if attempt.failed_on != worker or len(self._workers) == 1:
                del self._waiting[place]
                return attempt
        return None

    def _collect(self) -> None:
        """Wait a while for tasks to be finished, and take all that are."""
        try:
            worker, future = self._finished.get(timeout=LOOK_SECONDS)
            for _ in range(self._finished.qsize() + 1):
                if worker in self._running and self._running[worker][0] is future:
                    self._take(worker, future)
                worker, future = self._finished.get_nowait()
            self._finished.put((worker, future))
        except queue.Empty:
            pass

    def _take(self, worker: str, future: Future) -> None:
        """Take the entry of a finished task."""
        from distributed import KilledWorker

        try:
            entry = future.result(timeout=GATHER_SECONDS)
        except (TimeoutError, asyncio.TimeoutError):
            self._finished.put((worker, future))  # until it answers, or is seen to be gone
            return
        except (KilledWorker, OSError):
            self._workers.discard(worker)
            self._lose(worker)
            return
        except Exception as error:
            entry = failure(self._running[worker][1].task, "error", f"{type(error).__name__}: {error}")
        _, attempt = self._running.pop(worker)
        future.release()
        if entry["state"] == "done" or attempt.number >= ATTEMPTS:
            self._record(_complete(entry, attempt, worker))
        else:
            self._waiting.append(_Attempt(attempt.task, attempt.number + 1, worker))

    def _lose(self, worker: str) -> None:
        """A worker has ended: its task is tried once more, or marked."""
        future, attempt = self._running.pop(worker)
        future.cancel(force=True)
        if attempt.number < ATTEMPTS:
            self._waiting.append(_Attempt(attempt.task, attempt.number + 1, worker))
            return
        message = LATE.format(minutes=attempt.task["limit"] / 60) if attempt.is_late() else KILLED
        self._record(_complete(failure(attempt.task, "killed", message), attempt, worker))


def _submitted(client: Client, work: Work, task: Task, worker: str) -> Future:
    """A task that one worker is to do, once."""
    work = partial(within_limit, work)
    return client.submit(work, task, workers=[worker], allow_other_workers=False, pure=False, retries=0)


def _complete(entry: Entry, attempt: _Attempt, worker: str) -> Entry:
    return {**entry, "attempts": attempt.number, "worker": worker, "finished": time.time()}


def within_limit(work: Work, task: Task) -> Entry:
    """Do a task; end this process if it takes longer than its limit."""
    with _ended_after(task["limit"]):
        return work(task)


@contextmanager
def _ended_after(seconds: float | None) -> Iterator[None]:
    """End this process if the block takes longer, even if it never lets Python run; None for no limit."""
    if seconds is None:
        yield
        return
    with open(os.devnull, "w") as nowhere:
        faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


def on_worker(task: Task) -> Entry:
    """:func:`~madreg.batch.work.register_pair` on a worker of a cluster: of several GPUs each worker has its own."""
    device = task["pair"]["device"]
    reuse_memory()
    try:
        return register_pair({**task, "device": _own_device() if device in ("auto", "cuda") else None})
    finally:
        if held_bytes() > HELD_BYTES:
            release_memory()


def _own_device() -> str | None:
    """The GPU of this worker, by its number in the cluster; None if there is no choice."""
    import torch
    from distributed import get_worker

    number, count = get_worker().name, torch.cuda.device_count()
    return f"cuda:{number % count}" if isinstance(number, int) and count > 1 else None
