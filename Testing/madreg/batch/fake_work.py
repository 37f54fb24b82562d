"""What workers do in tests instead of registering; a module of its own, so that they can import it."""

import ctypes
import hashlib
import os
import signal
import time
from pathlib import Path


def entry_of(task, **more):
    """An entry that depends on the task alone."""
    identifier = task["pair"]["id"]
    number = int(hashlib.sha256(identifier.encode()).hexdigest()[:6], 16) / 1e6
    return {
        "id": identifier,
        "fingerprint": task["fingerprint"],
        "fixed": task["pair"]["fixed"],
        "moving": task["pair"]["moving"],
        "state": "done",
        "verdict": "aligned",
        "error_after_mm": number,
        **more,
    }


def log(task, word):
    """Append a line to a file beside the outputs, which shows what was begun and ended by which process."""
    with (Path(task["out"]) / "log.txt").open("a") as stream:
        stream.write(f"{word} {task['pair']['id']} {os.getpid()}\n")


def sleep(task):
    """Take as many milliseconds as the seed says."""
    log(task, "begin")
    time.sleep(task["pair"]["seed"] / 1000)
    log(task, "end")
    return entry_of(task)


def sleep_unlogged(task):
    """The same without a log."""
    time.sleep(task["pair"]["seed"] / 1000)
    return entry_of(task)


def kill_some(task):
    """``deadly`` always ends its worker, ``once`` only the first time."""
    log(task, "begin")
    name = task["pair"]["id"]
    if name.startswith("deadly") or (name.startswith("once") and begun(task) == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("broken"):
        raise ValueError("this pair cannot be done")
    time.sleep(0.02)
    log(task, "end")
    return entry_of(task)


def hang_some(task):
    """``hang`` never ends and, as a library may, lets nothing else run in its process; ``once`` only the first time."""
    log(task, "begin")
    name = task["pair"]["id"]
    if name.startswith("hang") or (name.startswith("once") and begun(task) == 1):
        ctypes.PyDLL(None).sleep(600)  # with Python's lock held
    return entry_of(task)


def begun(task):
    """How often a task has been begun."""
    lines = (Path(task["out"]) / "log.txt").read_text().splitlines()
    return sum(line.split()[:2] == ["begin", task["pair"]["id"]] for line in lines)
