"""Many small pieces of work at once, each on one processor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import torch

Item = TypeVar("Item")
Made = TypeVar("Made")
Other = TypeVar("Other")

_lock = threading.Lock()
_blocks = 0  # that want one torch thread, in all threads
_before = 1  # torch's threads outside of them


def parallel_map(
    work: Callable[[Item], Made],
    items: Sequence[Item],
    device: torch.device,
    report_progress: Callable[[float], None] | None = None,
) -> list[Made]:
    """``work`` of every item, in their order.

    On a processor as many items are worked on at once as torch has threads, each by one thread: what is too small for
    torch to divide is divided so.  Elsewhere they are done one after the other.

    Args:
        work: must be safe to run in several threads.
        report_progress: called from this thread with the share of the items done; may raise to stop.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1 or len(items) < 2:
        return _collected(map(work, items), len(items), report_progress)
    with _one_torch_thread():
        pool = ThreadPoolExecutor(min(threads, len(items)))
        try:
            return _collected(pool.map(work, items), len(items), report_progress)
        finally:
            pool.shutdown(cancel_futures=True)


def with_ahead(
    work: Callable[[], Made], ahead: Callable[[], Other], device: torch.device
) -> tuple[Made, Callable[[], Other]]:
    """What ``work`` returns, and a function that returns what ``ahead`` does, for what may be wanted after it.

    On a processor on which torch has several threads both are done at once, each by one thread; elsewhere ``ahead`` is
    done if it is asked for.
    """
    if device.type != "cpu" or torch.get_num_threads() == 1:
        return work(), cache(ahead)
    with _one_torch_thread(), ThreadPoolExecutor(1) as pool:
        future = pool.submit(ahead)
        return work(), future.result


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """Threads that start in the block use one torch thread each; afterwards all is as before.

    The number belongs to the process: of blocks that overlap in several threads the last one to end gives it back.
    """
    global _blocks, _before
    with _lock:
        if not _blocks:
            _before = torch.get_num_threads()
            torch.set_num_threads(1)
        _blocks += 1
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if not _blocks:
                torch.set_num_threads(_before)


def _collected(results: Iterable[Made], count: int, report_progress: Callable[[float], None] | None) -> list[Made]:
    found = []
    for one in results:
        found.append(one)
        if report_progress:
            report_progress(len(found) / count)
    return found
