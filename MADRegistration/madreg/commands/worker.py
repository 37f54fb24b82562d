"""A process that registers on request and stays warm in between: one JSON object a line on stdin and stdout.

Slicer starts it, so that neither a long computation nor its crash touches Slicer.  Commands in::

    {"command": "register", "job": 1, "fixed": IMAGE, "moving": IMAGE, "settings": {"type": "rigid", ...},
     "resampled": "out.npy" or null,          IMAGE = {"name", "voxels": "a.npy", "matrix": 4x4, "mask": MASK or null}
     "error_map": "out.nrrd" or null}         MASK = {"voxels": "m.npy", "matrix": 4x4}
    {"command": "compare", "job": 2, "fixed": IMAGE, "moving": IMAGE, "kind": "checkerboard", "output": "out.npy"}
    {"command": "quit"}

Events out: ``hello`` (pid; at once), ``ready`` (devices; torch is loaded), ``alive`` (once a second while it works),
``progress``, ``result`` and ``error`` (each with its job).  A ``result`` names the error map if one was written;
its report then has ``worst_mm`` and ``worst_point_lps``.  Voxels are ``.npy`` files (k, j, i); matrices map an index
(i, j, k) to LPS mm.  Only the main thread computes.  The process ends when stdin does, so it never outlives its
parent; the folder that may be given as its one argument, where its parent keeps temporary files, it then removes.
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
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

if __name__ == "__main__":  # started by path, without being installed
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from .. import __version__  # noqa: E402
from ..errors import InputError  # noqa: E402
from ..system.priority import let_others_work  # noqa: E402

HEARTBEAT_SECONDS = 1.0
PROGRESS_SECONDS = 0.1

Say = Callable[..., None]


def perform(command: dict[str, Any], say: Say) -> dict[str, Any]:
    """Carry out a ``register`` command.

    Returns:
        The report of the registration, as ``madreg register --report`` writes it, with the hash of the weights.

    Raises:
        InputError: if an image or a setting cannot be used.
    """
    from ..pipeline.registration import register
    from ..quality.error_map import error_map
    from ..settings import Settings

    fixed_image, fixed, fixed_notices = _load(command["fixed"])
    moving_image, moving, moving_notices = _load(command["moving"])
    result = register(fixed, moving, Settings(**command["settings"]), _teller(say, command["job"]))
    if command.get("resampled"):
        _write_resampled(fixed_image, moving_image, result.matrix, Path(command["resampled"]))
    report = result.report()
    if command.get("error_map") and result.quality:
        errors = error_map(fixed, result.quality)
        errors.write(Path(command["error_map"]))
        report |= errors.report()
    report["notices"] = [*fixed_notices, *moving_notices, *report.get("notices", [])]
    report.setdefault("weights_sha256", _weights_hash())
    return report


def _weights_hash() -> str | None:
    """SHA-256 of the bundled network, which estimates the errors; None if there is none."""
    from ..network import weights

    try:
        return weights.load()[1]["sha256"]
    except InputError:
        return None


def compare(command: dict[str, Any]) -> None:
    """Carry out a ``compare`` command: see :mod:`madreg.pictures.comparison`."""
    import numpy as np

    from ..pictures.comparison import compare

    voxels = compare(_image(command["fixed"]), _image(command["moving"]), command["kind"])
    np.save(command["output"], voxels, allow_pickle=False)


def _load(description: dict[str, Any]) -> tuple:
    """SimpleITK image, Volume and notices of an IMAGE."""
    from ..io.reading import volume_from_image

    image = _image(description)
    mask = description.get("mask")
    mask = None if mask is None else _on_grid(_image(mask), image)
    return image, *volume_from_image(image, description["name"], mask)


def _image(description: dict[str, Any]):  # -> sitk.Image
    import numpy as np

    from ..image.geometry import Grid

    array = np.load(description["voxels"], allow_pickle=False)
    return Grid(array.shape[::-1], np.array(description["matrix"])).as_image(array)


def _on_grid(mask, image):  # sitk.Image, sitk.Image -> sitk.Image
    """A mask drawn on any grid, on the grid of the image, nearest neighbour."""
    import SimpleITK as sitk

    return sitk.Resample(mask != 0, image, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkNearestNeighbor, 0.0)


def _write_resampled(fixed, moving, matrix, path: Path) -> None:  # sitk.Image, sitk.Image, 4x4
    """The moving image on the fixed grid, as ``madreg register --resampled`` makes it, as an array (k, j, i)."""
    import numpy as np
    import SimpleITK as sitk

    from ..io.writing import resample

    image = resample(moving, fixed, matrix)  # named: the view below does not keep it alive
    np.save(path, sitk.GetArrayViewFromImage(image), allow_pickle=False)


def _teller(say: Say, job: int) -> Callable[[Any], None]:
    """A progress callback that says so, at most every :data:`PROGRESS_SECONDS`, with the time left in seconds."""
    began, last = time.monotonic(), -1.0

    def tell(progress: Any) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < PROGRESS_SECONDS:
            return
        last = now
        fraction = float(progress.fraction)
        left = (now - began) * (1 - fraction) / fraction if fraction > 0.05 else None
        say(
            "progress",
            job=job,
            stage=progress.stage,
            fraction=fraction,
            matrix=progress.transform.matrix.tolist(),
            error_mm=progress.error_mm,
            seconds_left=left,
        )

    return tell


def devices() -> list[dict[str, str]]:
    """Every device that can compute here: its name for ``Settings.device`` and what it is in words."""
    import torch

    import madreg.pipeline.registration  # noqa: F401  (loaded now, not at the first command)

    from ..system.device import describe

    found = [f"cuda:{n}" for n in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    found += ["mps"] if torch.backends.mps.is_available() else []
    return [{"name": name, "text": describe(torch.device(name))} for name in [*found, "cpu"]]


def is_memory_error(error: BaseException) -> bool:
    """Whether an exception means that memory ran out; torch on the CPU raises a plain RuntimeError."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and ("alloc" in text or "out of memory" in text) and "memory" in text)
    )


def answer(command: dict[str, Any], say: Say) -> None:
    """Carry out one command; whatever goes wrong is said as an ``error`` event, and the worker lives on."""
    job = command["job"]
    try:
        if command["command"] == "compare":
            compare(command)
            say("result", job=job)
        else:
            report = perform(command, say)
            say("result", job=job, report=report, error_map=command.get("error_map") if "worst_mm" in report else None)
    except InputError as error:
        say("error", job=job, kind="input", message=str(error))
    except Exception as error:
        traceback.print_exc()
        kind = "memory" if is_memory_error(error) else "internal"
        say("error", job=job, kind=kind, message=f"{type(error).__name__}: {error}")


def _messenger(stream: IO[str]) -> Say:
    lock = threading.Lock()

    def say(event: str, **fields: Any) -> None:
        line = json.dumps({"event": event, **fields})
        with lock:
            try:
                stream.write(line + "\n")
                stream.flush()
            except OSError:  # nobody listens any more
                os._exit(1)

    return say


def _listen(commands: queue.Queue, folder: str | None) -> None:
    """Queue every command; end the process, in the middle of whatever it does, when stdin ends."""
    for line in sys.stdin:
        if line.strip():
            commands.put(json.loads(line))
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _beat(busy: threading.Event, say: Say) -> None:
    while busy.wait():
        say("alive")
        time.sleep(HEARTBEAT_SECONDS)


def main(folder: str | None = None) -> None:
    """Serve until told to quit, or until stdin ends.

    Args:
        folder: temporary files to remove when stdin ends, because the parent may have crashed and cannot.
    """
    let_others_work()
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # so that the client can kill this process and whatever it started by one group
    # keep stdout for events: what libraries print goes to stderr, which is the log
    say = _messenger(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    say("hello", pid=os.getpid(), version=__version__)
    commands: queue.Queue = queue.Queue()
    threading.Thread(target=_listen, args=(commands, folder), daemon=True).start()
    busy = threading.Event()
    busy.set()
    threading.Thread(target=_beat, args=(busy, say), daemon=True).start()
    try:
        say("ready", devices=devices())
    except Exception as error:
        traceback.print_exc()
        say("broken", message=f"{type(error).__name__}: {error}")
        return
    while True:
        busy.clear()
        command = commands.get()
        busy.set()
        if command["command"] == "quit":
            return
        answer(command, say)


if __name__ == "__main__":
    main(*sys.argv[1:2])
