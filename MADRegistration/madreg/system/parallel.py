"""Many small pieces of work at once, each on one processor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Made = TypeVar("Made")


def parallel_map(
    work: Callable[[Item], Made],
    items: Sequence[Item],
    device: torch.device,
    tell: Callable[[float], None] | None = None,
) -> list[Made]:
    """``work`` of every item, in their order.

    On a processor as many items are worked on at once as torch has threads, each by one thread: what is too small for
    torch to divide is divided so.  Elsewhere they are done one after the other.

    Args:
        work: must be safe to run in several threads.
        tell: called from this thread with the share of the items done; may raise to stop.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1 or len(items) < 2:
        return _collected(map(work, items), len(items), tell)
    torch.set_num_threads(1)  # threads that start from now on inherit it
    pool = ThreadPoolExecutor(min(threads, len(items)))
    try:
        return _collected(pool.map(work, items), len(items), tell)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


def _collected(results, count: int, tell: Callable[[float], None] | None) -> list:
    found = []
    for one in results:
        found.append(one)
        if tell:
            tell(len(found) / count)
    return found
