"""Tasks are done once, on workers that fail and end: with a client that is a simulation, and with Dask itself."""

import json
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import Future
from contextlib import nullcontext

import fake_work
import pytest

from madreg.batch import cluster, manifest
from madreg.batch.pair import Pair
from madreg.batch.run import Dispatcher
from madreg.batch.work import task_of
from madreg.errors import InputError

pytest.importorskip("distributed", reason="needs madreg[batch]")


class SimulatedFuture:
    """What the dispatcher uses of a future of Dask."""

    def __init__(self):
        self._inner = Future()

    def add_done_callback(self, function):
        self._inner.add_done_callback(lambda _: function(self))

    def result(self, timeout=None):
        return self._inner.result(timeout)

    def finish(self, value):
        self._inner.set_result(value)

    def fail(self, error):
        self._inner.set_exception(error)

    def release(self):
        pass

    def cancel(self, force=False):
        pass


class SimulatedClient:
    """Workers that do a task when it is submitted; ``ends`` says at which tasks they end instead."""

    def __init__(self, workers, ends=lambda task, worker, time: False):
        self.workers, self.ends, self.begun, self.next = [f"w{n}" for n in range(workers)], ends, [], workers

    def nthreads(self):
        return dict.fromkeys(self.workers, 1)

    def submit(self, work, task, workers, **_):
        (worker,), future = workers, SimulatedFuture()
        assert worker in self.workers
        self.begun.append((task["pair"]["id"], worker))
        time = sum(name == task["pair"]["id"] for name, _ in self.begun)
        if self.ends(task["pair"]["id"], worker, time):
            self.workers.remove(worker)
            self.workers.append(f"w{self.next}")
            self.next += 1
            return future
        try:
            future.finish(work(task))
        except Exception as error:
            future.fail(error)
        return future


@pytest.fixture
def tasks(tmp_path):
    """Function: tasks of pairs with these ids."""
    return lambda *names: [task_of(Pair(name, "f", "m"), tmp_path, tmp_path, 1) for name in names]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("madreg.batch.run.LOOK_SECONDS", 0.01)


def collected(client, tasks, work=fake_work.entry_of, **options):
    entries = []
    Dispatcher(client, entries.append, work, **options).run(tasks)
    return {entry["id"]: entry for entry in entries}, len(entries)


def test_every_task_is_done_once(tasks):
    client = SimulatedClient(3)
    found, number = collected(client, tasks(*(f"p{n}" for n in range(50))))
    assert number == 50 == len(found) == len(client.begun)
    assert all(entry["attempts"] == 1 and entry["state"] == "done" for entry in found.values())
    assert {worker for _, worker in client.begun} == {"w0", "w1", "w2"}


def test_a_task_whose_worker_ended_is_done_after_the_others_elsewhere(tasks):
    client = SimulatedClient(2, lambda name, worker, time: name == "once" and time == 1)
    found, number = collected(client, tasks("once", *(f"p{n}" for n in range(9))))
    assert number == 10 and found["once"]["state"] == "done" and found["once"]["attempts"] == 2
    first, last = (worker for name, worker in client.begun if name == "once")
    assert first != last and client.begun[-1][0] == "once"


def test_a_task_that_always_ends_its_worker_is_marked_and_stops_nothing(tasks):
    client = SimulatedClient(2, lambda name, worker, time: name == "deadly")
    found, number = collected(client, tasks("deadly", "a", "b"))
    assert number == 3 and found["deadly"]["state"] == "killed" and found["deadly"]["attempts"] == 2
    assert found["deadly"]["message"].endswith(".") and found["a"]["state"] == found["b"]["state"] == "done"


def test_a_worker_that_does_not_end_after_its_time_is_given_up(tasks, monkeypatch):
    monkeypatch.setattr("madreg.batch.run.GRACE_SECONDS", 0.1)
    monkeypatch.setattr("madreg.batch.run._ended_after", lambda seconds: nullcontext())
    client = SimulatedClient(3)
    submit = client.submit

    def hang(work, task, **options):
        return SimulatedFuture() if task["pair"]["id"] == "hang" else submit(work, task, **options)

    client.submit = hang
    found, number = collected(client, [{**task, "limit": 0.06} for task in tasks("hang", "a", "b")])
    assert number == 3 and found["hang"]["state"] == "killed" and found["hang"]["attempts"] == 2
    assert found["hang"]["message"].startswith("This pair was not registered within 0.001 minutes: ")
    assert found["a"]["state"] == found["b"]["state"] == "done"


def test_an_exception_becomes_an_entry_after_a_second_try_elsewhere(tasks):
    def work(task):
        if task["pair"]["id"] == "broken":
            raise ValueError("no")
        return fake_work.entry_of(task)

    client = SimulatedClient(2)
    found, _ = collected(client, tasks("a", "broken", "b"), work)
    assert found["broken"]["state"] == "error" and "ValueError: no" in found["broken"]["message"]
    assert len({worker for name, worker in client.begun if name == "broken"}) == 2


def test_a_worker_that_is_slow_to_hand_over_is_waited_for(tasks, monkeypatch):
    waits = []

    def result(self, timeout=None):
        waits.append(timeout)
        if len(waits) < 4:
            raise TimeoutError
        return self._inner.result(timeout)

    monkeypatch.setattr(SimulatedFuture, "result", result)
    client = SimulatedClient(1)
    found, number = collected(client, tasks("a", "b"))
    assert number == 2 == len(client.begun) and found["a"]["attempts"] == 1


def test_a_worker_that_ends_before_it_hands_over_is_lost(tasks, monkeypatch):
    client, plain = SimulatedClient(2), SimulatedFuture.result

    def result(self, timeout=None):
        if len(client.begun) == 1:
            client.workers[:] = ["w1"]
        if "w0" not in client.workers and plain(self)["id"] == "a" and len(client.begun) < 3:
            raise TimeoutError
        return plain(self, timeout)

    monkeypatch.setattr(SimulatedFuture, "result", result)
    client.workers[:] = ["w0"]
    client.ends = lambda name, worker, time: False
    found, number = collected(client, tasks("a", "b"))
    assert number == 2 and found["a"]["attempts"] == 2 and found["a"]["worker"] == "w1"


def test_a_second_try_on_the_only_worker(tasks):
    client = SimulatedClient(1)
    found, _ = collected(client, tasks("a"), lambda task: fake_work.entry_of(task, state="error", message="x"))
    assert found["a"]["attempts"] == 2 and len(client.begun) == 2


def test_without_workers_it_waits_as_long_as_its_patience(tasks):
    client, seen = SimulatedClient(0), []
    with pytest.raises(InputError, match="No worker is left"):
        collected(client, tasks("a"), watch=seen.append, patience=0.1)
    assert seen and not any(seen)


def test_a_scheduler_that_is_gone_is_said(tasks):
    client = SimulatedClient(1)
    client.nthreads = lambda: (_ for _ in ()).throw(OSError("closed"))
    with pytest.raises(InputError, match="The scheduler does not answer any more"):
        collected(client, tasks("a"))


# --- Dask itself ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_workers_that_end_lose_and_double_nothing(tmp_path):
    from madreg.batch import cluster

    names = [*(f"p{n}" for n in range(30)), "once1", "once2", "deadly", "broken"]
    every = [task_of(Pair(name, "f", "m"), tmp_path, tmp_path, 1) for name in names]
    with cluster.local(cluster.Share(2, 1)) as client, manifest.opened(tmp_path) as record:
        assert client.scheduler.address.startswith("tls://127.0.0.1:")
        Dispatcher(client, record.add, fake_work.kill_some).run(every)
    lines = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert Counter(line["id"] for line in lines) == Counter(names)
    found = {line["id"]: line for line in lines}
    assert found["deadly"]["state"] == "killed" and found["broken"]["state"] == "error"
    for task in every:
        name = task["pair"]["id"]
        if name not in ("deadly", "broken"):
            assert fake_work.entry_of(task).items() <= found[name].items()
            assert found[name]["attempts"] == (2 if name.startswith("once") else 1)
    begun = Counter(line.split()[1] for line in (tmp_path / "log.txt").read_text().splitlines() if line[0] == "b")
    assert begun == Counter({name: 1 if name[0] == "p" else 2 for name in names})


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no such sleep")
def test_a_pair_that_hangs_is_ended_tried_once_more_and_marked(tmp_path):
    from madreg.batch import cluster

    names = ["hang", "once", *(f"p{n}" for n in range(8))]
    every = [task_of(Pair(name, "f", "m"), tmp_path, tmp_path, 1, 3.0) for name in names]
    begin = time.monotonic()
    with cluster.local(cluster.Share(2, 1)) as client, manifest.opened(tmp_path) as record:
        Dispatcher(client, record.add, fake_work.hang_some, patience=120.0).run(every)
        found = dict(record.entries)
    assert set(found) == set(names) and time.monotonic() - begin < 300
    assert found["hang"]["state"] == "killed" and "within 0.05 minutes" in found["hang"]["message"]
    assert {name: entry["attempts"] for name, entry in found.items()} == {
        name: 2 if name in ("hang", "once") else 1 for name in names
    }
    assert all(found[name]["state"] == "done" for name in names if name != "hang")


@pytest.mark.slow
def test_random_kills_lose_and_double_nothing():
    from batch_trials.__main__ import kills

    found = kills(pairs=60, number=5, workers=2, milliseconds=30)
    assert found["killed"] == 5
    assert (found["lost"], found["twice"], found["different"]) == (0, 0, 0)


@pytest.mark.slow
def test_a_scheduler_elsewhere_is_used_and_one_that_is_not_there_is_said(tmp_path, monkeypatch):
    import distributed

    from madreg.batch import cluster

    every = [task_of(Pair(name, "f", "m"), tmp_path, tmp_path, 1) for name in "abc"]
    with (
        distributed.LocalCluster(2, threads_per_worker=2, dashboard_address=None, silence_logs=50) as there,
        cluster.connected(there.scheduler_address) as client,
    ):
        found, number = collected(client, every, fake_work.sleep)
    assert number == 3 and 1 <= len({entry["worker"] for entry in found.values()}) <= 2
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    with pytest.raises(InputError, match="does not answer"), cluster.connected("tcp://127.0.0.1:9"):
        pass


@pytest.mark.parametrize(
    ("wanted", "memory", "share"),
    [
        ((100, None, None, "cpu"), 64e9, (8, 1)),
        ((3, None, None, "cpu"), 64e9, (3, 2)),
        ((100, None, 4, "cpu"), 64e9, (2, 4)),
        ((100, None, None, "cpu"), 4e9, (2, 4)),
        ((100, None, None, "cpu"), 1e9, (1, 8)),
        ((100, 5, None, "cpu"), None, (5, 1)),
        ((100, 2, 3, "cpu"), None, (2, 3)),
        ((100, None, None, "cuda:1"), 64e9, (1, 8)),
    ],
)
def test_a_computer_is_full_and_not_overfull(monkeypatch, wanted, memory, share):
    from madreg.batch import cluster

    monkeypatch.setattr(cluster, "usable_cores", lambda: 8)
    monkeypatch.setattr(cluster, "available_bytes", lambda: None if memory is None else int(memory))
    found = cluster.share_of_computer(*wanted)
    assert (found.workers, found.threads) == share


@pytest.mark.slow
def test_workers_that_dask_gave_up_are_started_anew_and_leave_no_folder(tmp_path, monkeypatch):
    from madreg.batch import cluster

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    share = cluster.Share(1, 1)
    with cluster.local(share) as client:
        local = client.cluster
        local.sync(local.workers[0].close)
        del local.workers[0]  # as Dask does after a while
        cluster.replenish(client, share)
        client.wait_for_workers(1, timeout=120)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_no_scheduler():
    import socket
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answer():
            with server.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
                connection.recv(1 << 16)

        threading.Thread(target=answer, daemon=True).start()
        address = f"tcp://127.0.0.1:{port}"
        with pytest.raises(InputError, match=f"{address} does not answer"), cluster.connected(address):
            pass
