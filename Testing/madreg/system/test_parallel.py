"""Work in several threads: order, progress, stopping, and torch's threads as they were."""

import threading
import time

import pytest
import torch

from madreg.system.parallel import parallel_map, with_ahead

CPU = torch.device("cpu")


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_results_come_in_order_with_progress(threads):
    shares = []
    assert parallel_map(lambda n: n * n, range(7), CPU, shares.append) == [n * n for n in range(7)]
    assert shares == [n / 7 for n in range(1, 8)]
    assert torch.get_num_threads() == threads
    assert parallel_map(lambda n: n, [], CPU) == []


def test_threads_work_at_once_with_one_torch_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        met = threading.Barrier(2, timeout=20)  # passes only if two are there at the same time

        def work(_: int) -> int:
            met.wait()
            return torch.get_num_threads()

        assert parallel_map(work, range(2), CPU) == [1, 1]
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("fails", ["work", "consumer"])
def test_a_failure_stops_the_rest(threads, fails):
    done = []

    def work(n: int) -> int:
        done.append(n)
        if fails == "work" and n == 2:
            raise KeyError("no")
        time.sleep(0.001)  # all of them take long enough for the failure to be seen
        return n

    def report_progress(share: float) -> None:
        if fails == "consumer" and share > 0.002:
            raise KeyError("no")

    with pytest.raises(KeyError):
        parallel_map(work, range(1000), CPU, report_progress)
    assert len(done) < 1000
    assert torch.get_num_threads() == threads


def test_what_may_be_wanted_is_done_beside_the_work_where_threads_are_free(threads):
    met, asked = threading.Barrier(2, timeout=20), []

    def ahead() -> str:
        asked.append(torch.get_num_threads())
        if threads > 1:
            met.wait()  # passes only if the work is being done at the same time
        return "ahead"

    def work() -> str:
        if threads > 1:
            met.wait()
        return "work"

    made, found = with_ahead(work, ahead, CPU)
    assert made == "work" and asked == ([] if threads == 1 else [1])
    assert found() == "ahead" and len(asked) == 1
    assert torch.get_num_threads() == threads


def test_what_fails_ahead_fails_where_it_is_asked_for(threads):
    def ahead() -> None:
        raise KeyError("no")

    made, found = with_ahead(lambda: 3, ahead, CPU)
    assert made == 3 and torch.get_num_threads() == threads
    with pytest.raises(KeyError):
        found()
