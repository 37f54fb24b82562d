"""The lines that a worker reads, and its memory; see also the campaign."""

import gc
import io
import json
import os
import queue
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from madreg.commands import worker
from madreg.commands.worker_jobs import register


@pytest.mark.parametrize(
    ("line", "job", "said"),
    [
        (b"not json", None, "not JSON"),
        (b"\xff\xfe", None, "not JSON"),
        (b"[" * 100_000, None, "not JSON"),
        (b"[1, 2]", None, "not an object"),
        (b"3", None, "not an object"),
        (b"{}", None, "none of register, assess, compare, pair, quit"),
        (b'{"command": "dance", "job": 4}', 4, "none of register"),
        (b'{"command": ["register"], "job": 4}', 4, "none of register"),
        (b'{"command": "register"}', None, "no job number"),
        (b'{"command": "register", "job": true}', None, "no job number"),
        (b'{"command": "register", "job": {}}', None, "no job number"),
    ],
)
def test_a_line_that_cannot_be_understood_says_why(line, job, said):
    with pytest.raises(worker.CommandError, match=said) as caught:
        worker.parse(line)
    assert caught.value.job == job and "\n" not in str(caught.value)


class Ended(BaseException):
    pass


def heard(monkeypatch, stream: bytes, folder=None):
    """What is queued and what is said of a stream, and that the process ends with it."""

    def end(status):
        raise Ended(status)

    monkeypatch.setattr(worker.os, "_exit", end)
    commands, events = queue.Queue(), []
    with pytest.raises(Ended):
        worker.listen(io.BytesIO(stream), commands, lambda event, **fields: events.append((event, fields)), folder)
    return [commands.get() for _ in range(commands.qsize())], events


def test_one_bad_line_gives_one_error_and_the_next_is_heard(monkeypatch, tmp_path):
    folder = tmp_path / "temporary"
    folder.mkdir()
    good = {"command": "compare", "job": 3}
    long = b"x" * (3 * worker.LONGEST_LINE)
    stream = b"\n".join([b"nonsense", b"", long, json.dumps(good).encode(), b'{"command": "quit"}', b"{"])
    commands, events = heard(monkeypatch, stream, str(folder))
    assert commands == [good, {"command": "quit"}]
    assert [(event, fields["job"], fields["kind"]) for event, fields in events] == [("error", None, "input")] * 3
    assert not folder.exists()


def test_a_listener_that_fails_ends_the_process(monkeypatch):
    class Broken(io.BytesIO):
        def readline(self, *_):
            raise MemoryError

    monkeypatch.setattr(worker.os, "_exit", lambda status: (_ for _ in ()).throw(Ended(status)))
    with pytest.raises(Ended):
        worker.listen(Broken(), queue.Queue(), lambda *_, **__: None, None)


@pytest.fixture
def slabs(tmp_path):
    """A command that registers two slabs, which takes a second."""
    values = np.random.default_rng(1).uniform(300, 1000, (3, 12, 12)).astype(np.float32)
    np.save(tmp_path / "slab.npy", values)
    images = {}
    for role, shift in (("fixed", 0.0), ("moving", 4.0)):
        matrix = np.diag([9.0, 9.0, 6.0, 1.0])
        matrix[:3, 3] = shift
        images[role] = {"name": role, "voxels": str(tmp_path / "slab.npy"), "matrix": matrix.tolist()}
    outputs = {"resampled": str(tmp_path / "r.npy"), "error_map": str(tmp_path / "e.nrrd")}
    settings = {"init": "none", "measure": "nmi", "device": "cpu"}
    return {"command": "register", "job": 1, **images, **outputs, "settings": settings}


@pytest.mark.slow
def test_a_registration_leaves_no_tensors_in_reference_cycles(slabs):
    """The worker looks for them, but other programs do so when Python sees fit, which does not know their size."""

    def tensors():
        return {id(one): one for one in gc.get_objects() if isinstance(one, torch.Tensor)}

    assert "worst_mm" in register(slabs, lambda *_, **__: None)
    gc.collect()
    gc.disable()
    try:
        before = tensors()
        register(slabs, lambda *_, **__: None)
        left = [tuple(one.shape) for key, one in tensors().items() if key not in before]
    finally:
        gc.enable()
    assert left == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_the_process_is_flat(slabs):
    process = subprocess.Popen(
        [sys.executable, worker.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
    )
    statm, memory = Path(f"/proc/{process.pid}/statm"), []
    with process:
        for _ in range(7):
            print(json.dumps(slabs), file=process.stdin, flush=True)
            print(json.dumps({"command": "compare", "job": 2}), file=process.stdin, flush=True)
            heard = []
            while len(heard) < 2:
                event = json.loads(process.stdout.readline())
                heard += [event["event"]] if event["event"] in ("result", "error") else []
            assert heard == ["result", "error"]  # after the second, memory of the registration has been released
            memory.append(os.sysconf("SC_PAGE_SIZE") * int(statm.read_text().split()[1]) / 2**20)
        process.stdin.close()
    assert memory[-1] < memory[2] + 10, memory  # of four registrations
