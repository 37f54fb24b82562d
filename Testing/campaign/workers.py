"""The worker process: lines that it cannot understand, many commands in a row, and cancels."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from madreg.commands import worker
from madreg.image.geometry import Grid

from . import outcomes, scans

LIMIT_SECONDS = 120.0
PAGE = os.sysconf("SC_PAGE_SIZE")
WARM_UP = 10
GROWTH = 1.1
"""Most that the memory of a worker may grow by over many runs, after so many for warming up."""

HOSTILE = (
    b"",
    b"not json",
    b"[1, 2]",
    b"3",
    b"null",
    b"{}",
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b'{"command": "dance", "job": 1}',
    b'{"command": ["register"], "job": 1}',
    b'{"command": "register"}',
    b'{"command": "register", "job": null}',
    b'{"command": "register", "job": 1}',
    b'{"command": "register", "job": 1, "fixed": [], "moving": {}, "settings": {}}',
    b'{"command": "register", "job": 1, "fixed": {}, "moving": {}, "settings": {}}',
    b'{"command": "register", "job": 1, "fixed": 1, "moving": 2, "settings": 3}',
    b'{"command": "compare", "job": 1}',
    b'{"command": "compare", "job": 1, "fixed": {}, "moving": {}, "kind": 7, "output": 1}',
    b'{"command": "quit"',
    b'{"job": 1e999}',
    b"x" * 3_000_000,
)


class Worker:
    """A worker process, spoken to as Slicer does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, worker.__file__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self.rest = b""
        self.waiting: list[dict] = []

    def send(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def hear(self, *kinds: str) -> dict[str, Any] | None:
        """The next event of one of these kinds; None if the worker ends or says nothing for too long."""
        assert self.process.stdout is not None
        end = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < end:
            while self.waiting:
                event = self.waiting.pop(0)
                if event["event"] in kinds:
                    return event
            if select.select([self.process.stdout], [], [], 0.5)[0]:
                data = os.read(self.process.stdout.fileno(), 1 << 16)
                if not data:
                    return None
                *lines, self.rest = (self.rest + data).split(b"\n")
                self.waiting += [json.loads(line) for line in lines]
        return None

    def memory(self) -> int:
        """Bytes that it has in memory."""
        return PAGE * int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])

    def end(self) -> float:
        """Close its stdin as a parent that dies does; the seconds until it has ended, or infinity."""
        assert self.process.stdin is not None
        began = time.monotonic()
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return float("inf")
        return time.monotonic() - began


def image(folder: Path, name: str, made: sitk.Image) -> dict[str, Any]:
    """An IMAGE of the worker's documentation."""
    path = folder / f"{name}.npy"
    np.save(path, sitk.GetArrayFromImage(made))
    return {"name": name, "voxels": str(path), "matrix": Grid.of_image(made).matrix.tolist(), "mask": None}


def commands(folder: Path, small: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """A registration and a comparison.

    Args:
        small: of slabs rather than balls.
    """
    shift = (4.0, -3.0, 6.0)
    fixed, moving = (scans.slab(), scans.slab(shift)) if small else (scans.image(1), scans.image(1, shift))
    pair = {"fixed": image(folder, "fixed", fixed), "moving": image(folder, "moving", moving)}
    settings = {"init": "none", "measure": "nmi", "device": "cpu"}
    return (
        {"command": "register", "job": 10, **pair, "settings": settings, "resampled": str(folder / "r.npy")},
        {"command": "compare", "job": 11, **pair, "kind": "edges", "output": str(folder / "c.npy")},
    )


def run_lines(
    counts: outcomes.Counts, number: int, seed: int, folder: Path, report_progress: Callable[[], None]
) -> None:
    """Send so many lines that cannot be understood, each followed by a comparison, and then end."""
    place = folder / "lines"
    place.mkdir()
    register, compare = commands(place)
    one = Worker(place)
    if one.hear("ready") is None:
        raise RuntimeError("the worker does not start")
    for trial in counts.remaining("lines", number):
        rng = np.random.default_rng([seed, 4, trial])
        line = _bad_line(trial, rng, register)
        one.send(line)
        one.send(json.dumps(compare).encode())
        errors = 0
        while (event := one.hear("error", "result")) and event["event"] == "error":
            errors += 1
        if event is None:
            outcome = outcomes.HANG if one.process.poll() is None else outcomes.SIGNAL
        else:
            expected = 1 if line.strip() else 0
            outcome = outcomes.ANSWERED if errors == expected else outcomes.STRANGE
        detail = f"seed {seed} trial {trial}, {errors} errors: {line[:80]!r}"
        counts.add("worker: bad line", outcome, detail, ("lines", trial))
        report_progress()
        if event is None:
            one.process.kill()
            return
    if ("end of stdin", 0) not in counts.done:
        outcome = outcomes.DONE if one.end() < 10 and not place.exists() else outcomes.HANG
        counts.add("worker: end of stdin", outcome, "", ("end of stdin", 0))


def _bad_line(trial: int, rng: np.random.Generator, register: dict[str, Any]) -> bytes:
    """One of :data:`HOSTILE`, or a good command that was cut, changed, or robbed of a part."""
    if trial < len(HOSTILE):
        return HOSTILE[trial]
    command = json.loads(json.dumps(register))
    way = rng.integers(4)
    if way == 0:
        line = json.dumps(command).encode()
        return line[: rng.integers(1, len(line))]
    if way == 1:
        del command[("fixed", "moving", "settings", "job", "command")[rng.integers(5)]]
    elif way == 2:
        value = (None, 3, -1.5, "x", [], {}, [[]], "nowhere.npy", True)[rng.integers(9)]
        part = command[("fixed", "moving")[rng.integers(2)]]
        name = ("voxels", "matrix", "name")[rng.integers(3)]
        part[name] = value if not (name == "name" and isinstance(value, str)) else 7
    else:
        value = (None, "x", [], {}, -1, 1.5, "cuda:99", "cpu:")[rng.integers(8)]
        command["settings"][("type", "measure", "init", "seed", "device", "nothing")[rng.integers(6)]] = value
        if (
            command["settings"].get("seed") not in (None, -1, 1.5)
            and not command["settings"].keys() - register["settings"].keys()
        ):
            command["settings"]["seed"] = -1
    return json.dumps(command).encode()


def run_many(counts: outcomes.Counts, number: int, folder: Path, report_progress: Callable[[], None]) -> None:
    """So many registrations in one worker: the same result each time, and memory that does not grow.

    They are one trial: a journal has all of them or none.
    """
    if ("runs", 0) in counts.done:
        return
    place = folder / "many"
    place.mkdir()
    register, compare = commands(place, small=True)
    one = Worker(place)
    one.hear("ready")
    found, memory = set(), []
    for trial in range(number):
        one.send(json.dumps(register).encode())
        one.send(json.dumps(compare).encode())  # when it is answered, memory of the registration has been released
        event, after = one.hear("result", "error"), one.hear("result", "error")
        if event is None or after is None or "error" in (event["event"], after["event"]):
            ended = outcomes.SIGNAL if one.process.poll() is not None else outcomes.HANG
            outcome = outcomes.STRANGE if event and after else ended
            counts.add("worker: registrations in one process", outcome, f"trial {trial}: {event}, {after}")
            one.process.kill()
            return
        found.add(json.dumps(event["report"]["matrix_fixed_to_moving_lps"]))
        memory.append(one.memory())
        report_progress()
        if len(memory) % 20 == 0:
            print(f"{memory[-1] >> 20} MB, {len(found)} results", file=sys.stderr, flush=True)
    settled = memory[min(len(memory), WARM_UP) - 1]
    text = f"{len(memory)} runs, {len(found)} results, {settled >> 20} to {memory[-1] >> 20} MB"
    print(text, file=sys.stderr)
    good = len(found) == 1 and memory[-1] <= GROWTH * settled
    for trial in range(number if good else 1):
        outcome = outcomes.DONE if good else outcomes.STRANGE
        counts.add("worker: registrations in one process", outcome, text, ("runs", trial))
    one.end()


def run_cancels(counts: outcomes.Counts, number: int, seed: int, report_progress: Callable[[], None]) -> None:
    """Cancel so many registrations at a random time, as the panel does: everything is gone at once."""
    from MADRegistrationLib.worker.client import WorkerClient
    from MADRegistrationLib.worker.process import SubprocessProcess

    client = WorkerClient(SubprocessProcess, [sys.executable])
    for trial in counts.remaining("cancels", number):
        rng = np.random.default_rng([seed, 5, trial])
        client.start()
        folder = client.folder
        place = folder / "1"
        place.mkdir()
        register, _ = commands(place)
        del register["settings"]["init"]  # a search takes long enough to be cancelled
        client.send(**register)
        end = time.monotonic() + LIMIT_SECONDS
        pid = None
        while time.monotonic() < end and client.isStarted:
            events = client.poll()
            pid = client.pid or pid
            if pid is not None and (trial % 2 or any(event["event"] == "progress" for event in events)):
                break
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.5))
        began = time.monotonic()
        client.stop()
        waited = time.monotonic() - began
        gone = not folder.exists() and _is_gone(pid)
        outcome = outcomes.CANCELLED if gone and waited < 5 else outcomes.LEFT_OVER
        detail = f"seed {seed} trial {trial}, {waited:.2f} s"
        counts.add("worker: cancelled", outcome, detail, ("cancels", trial))
        report_progress()


def _is_gone(pid: int | None) -> bool:
    """Whether a process has ended, or does within a second."""
    for _ in range(50):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False
