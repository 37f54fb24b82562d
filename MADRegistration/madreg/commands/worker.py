"""A process that registers on request and keeps torch loaded in between: one JSON object a line on stdin and stdout.

Slicer starts it, so that neither a long computation nor its crash touches Slicer.  Commands in::

    {"command": "register", "job": 1, "fixed": IMAGE, "moving": IMAGE, "settings": {"type": "rigid", ...},
     "resampled": "out.npy" or null,          IMAGE = {"name", "voxels": "a.npy", "matrix": 4x4, "mask": MASK or null}
     "error_map": "out.nrrd" or null,         MASK = {"voxels": "m.npy", "matrix": 4x4}
     "resampling": {"interpolation": "linear", "fill": null, "voxel_type": "moving"},    (may be left out)
     "segmentation": [{"name", "voxels": "s.npy", "matrix": 4x4, "names": {"1": "Eye", ...}}, ...]}   (may be left out;
                                              in layers within which no structures overlap)
    {"command": "assess", "job": 2, "fixed": IMAGE, "moving": IMAGE, "settings": {...}, "error_map": "out.nrrd" or null,
     "transform": 4x4}                        fixed to moving, LPS mm; also with a segmentation
    {"command": "compare", "job": 3, "fixed": IMAGE, "moving": IMAGE, "kind": "checkerboard", "output": "out.npy"}
    {"command": "pair", "job": 4, "task": TASK}    of madreg.batch.work; its result is the entry of the pair
    {"command": "quit"}

Events out: ``hello`` (pid; at once), ``ready`` (devices; torch is loaded), ``alive`` (once a second while it works),
``progress``, ``result`` and ``error`` (each with its job).  A ``result`` names the error map if one was written;
its report then has ``worst_mm`` and ``worst_point_lps``.  A line that cannot be understood gives one ``error``, whose
job is null if it names none.  Voxels are ``.npy`` files (k, j, i); matrices map an index (i, j, k) to LPS mm.  Only the
main thread computes.  The process ends when stdin does, so it never outlives its parent; the folder that may be given
as its one argument, where its parent keeps temporary files, it then removes.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import IO, Any, BinaryIO, NoReturn

if __name__ == "__main__":  # started by path, without being installed
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from madreg import __version__
from madreg.commands.worker_jobs import Say, answer
from madreg.system import process

HEARTBEAT_SECONDS = 1.0
LONGEST_LINE = 1 << 20  # bytes


class CommandError(Exception):
    """A line that cannot be understood; ``job`` is the one that it names, or None."""

    def __init__(self, what: str, job: Any = None) -> None:
        super().__init__(f"A command to the registration process {what}: update MADRegistration.")
        self.job = job


def parse(line: bytes) -> dict[str, Any]:
    """The command of a line.

    Raises:
        CommandError: if it is none.
    """
    try:
        command = json.loads(line)
    except (ValueError, RecursionError, MemoryError) as error:
        raise CommandError("is not JSON") from error
    if not isinstance(command, dict):
        raise CommandError("is not an object")
    job = command.get("job")
    job = job if isinstance(job, (int, str)) and not isinstance(job, bool) else None
    known = ("register", "assess", "compare", "pair", "quit")
    if command.get("command") not in known:
        raise CommandError(f"is none of {', '.join(known)}", job)
    if job is None and command["command"] != "quit":
        raise CommandError("has no job number")
    return command


def messenger(stream: IO[str]) -> Say:
    """A function that writes an event to a stream; the process ends when nobody reads it any more."""
    lock = threading.Lock()

    def say(event: str, **fields: Any) -> None:
        line = json.dumps({"event": event, **fields})
        with lock:
            try:
                stream.write(line + "\n")
                stream.flush()
            except (OSError, ValueError):
                os._exit(1)

    return say


def listen(stream: BinaryIO, commands: queue.Queue, say: Say, folder: str | None) -> NoReturn:
    """Queue every command; end the process, in the middle of whatever it does, when the stream ends."""
    try:
        while line := stream.readline(LONGEST_LINE):
            if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                while (rest := stream.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                    pass
            if line.strip():
                try:
                    commands.put(parse(line))
                except CommandError as error:
                    say("error", job=error.job, kind="input", message=str(error))
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)


def beat(busy: threading.Event, say: Say) -> None:
    """Say that the process is alive while it is busy."""
    while busy.wait():
        say("alive")
        time.sleep(HEARTBEAT_SECONDS)


def devices() -> list[dict[str, str]]:
    """Every device that can compute here: its name for ``Settings.device`` and what it is in words."""
    import torch

    import madreg.pipeline.registration  # noqa: F401  (loaded now, not at the first command)
    from madreg.system.device import describe

    found = [f"cuda:{n}" for n in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    found += ["mps"] if torch.backends.mps.is_available() else []
    return [{"name": name, "text": describe(torch.device(name))} for name in [*found, "cpu"]]


def main(folder: str | None = None) -> NoReturn:
    """Serve until the command ``quit``, or until stdin ends.

    Args:
        folder: temporary files to remove when stdin ends, because the parent may have crashed and cannot.
    """
    process.prepare()
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # so that the client can kill this process and whatever it started by one group
    # keep stdout for events: what libraries print goes to stderr, which is the log
    say = messenger(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    say("hello", pid=os.getpid(), version=__version__)
    commands: queue.Queue = queue.Queue()
    threading.Thread(target=listen, args=(sys.stdin.buffer, commands, say, folder), daemon=True).start()
    busy = threading.Event()
    busy.set()
    threading.Thread(target=beat, args=(busy, say), daemon=True).start()
    try:
        say("ready", devices=devices())
    except Exception as error:
        traceback.print_exc()
        say("broken", message=f"{type(error).__name__}: {error}")
        process.leave(1)
    while True:
        busy.clear()
        command = commands.get()
        busy.set()
        if command["command"] == "quit":
            process.leave(0)  # not by way of Python's end, which waits for the thread that reads stdin
        answer(command, say)
        process.release_memory()


if __name__ == "__main__":
    main(*sys.argv[1:2])
