"""A process that registers on request and keeps torch loaded in between: one JSON object a line on stdin and stdout.

Slicer starts it, so that neither a long computation nor its crash touches Slicer.  Commands in::

    {"command": "register", "job": 1, "fixed": IMAGE, "moving": IMAGE, "settings": {"type": "rigid", ...},
     "resampled": "out.npy" or null,          IMAGE = {"name", "voxels": "a.npy", "matrix": 4x4, "mask": MASK or null}
     "error_map": "out.nrrd" or null,         MASK = {"voxels": "m.npy", "matrix": 4x4}
     "resampling": {"interpolation": "linear", "fill": null, "voxel_type": "moving"},    (may be left out)
     "segmentation": {"name", "voxels": "s.npy", "matrix": 4x4, "names": {"1": "Eye", ...}}}    (may be left out)
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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, NoReturn

if __name__ == "__main__":  # started by path, without being installed
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from madreg import __version__
from madreg.commands import worker_log
from madreg.errors import InputError, is_memory_error
from madreg.settings import Resampling, Settings
from madreg.system import process

if TYPE_CHECKING:
    import SimpleITK as sitk

    from madreg.io.reading import Loaded
    from madreg.io.segmentation import Segmentation

HEARTBEAT_SECONDS = 1.0
PROGRESS_SECONDS = 0.1
LONGEST_LINE = 1 << 20  # bytes

Say = Callable[..., None]


# --- the commands ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScanArray:
    """An image that came as arrays: an IMAGE of the module's documentation."""

    description: dict[str, Any]

    def check(self) -> None:
        for one in (self.description, self.description.get("mask")):
            if one is not None:
                _need(one, voxels=str, matrix=list)
        _need(self.description, name=str)

    def load(self) -> Loaded:
        """The image, and its mask on its grid; a mask on any other grid is resampled, nearest neighbor."""
        from madreg.io.reading import scan_from_image

        image, mask = image_of(self.description), self.description.get("mask")
        if mask is not None:
            mask = on_grid_of(image, image_of(mask) != 0)
        return scan_from_image(image, self.description["name"], mask)


def image_of(description: dict[str, Any]) -> sitk.Image:
    """The voxels of an IMAGE or a MASK.

    Raises:
        InputError: if they cannot be read.
    """
    import numpy as np

    from madreg.image.geometry import Grid
    from madreg.io.arrays import load_array

    try:
        array = load_array(description["voxels"])
        matrix = np.array(description["matrix"], float)
        if array.ndim != 3 or matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            raise ValueError("no volume")
        return Grid(array.shape[::-1], matrix).as_image(array)
    except (OSError, ValueError, TypeError, EOFError, RuntimeError) as error:
        name = description.get("name", "A mask")
        raise InputError(f"{name} was not passed on completely: check the free space on the disk.") from error


def on_grid_of(image: sitk.Image, labels: sitk.Image) -> sitk.Image:
    """A mask or labels on the grid of an image, nearest neighbor; 0 beyond their own."""
    import SimpleITK as sitk

    return sitk.Resample(labels, image, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkNearestNeighbor, 0.0)


@dataclass(frozen=True)
class StructuresArray:
    """Structures that came as an array on any grid: the segmentation of the module's documentation."""

    description: dict[str, Any]

    def check(self) -> None:
        _need(self.description, name=str, voxels=str, matrix=list, names=dict)

    def load(self, fixed: Loaded) -> Segmentation:
        """Resampled onto the grid of the fixed image, nearest neighbor.

        Raises:
            InputError: if they cannot be read, or none of them lies in the fixed image.
        """
        import SimpleITK as sitk

        from madreg.io.segmentation import segmentation_of

        here, name = on_grid_of(fixed.image, image_of(self.description)), self.description["name"]
        if not sitk.GetArrayViewFromImage(here).any():
            raise InputError(f"No structure of {name} lies in {fixed.name}: choose a segmentation of that image.")
        names = {int(label): text for label, text in self.description["names"].items() if label.isdecimal()}
        return segmentation_of(here, names, name)


def structures_of(command: dict[str, Any]) -> StructuresArray | None:
    """The structures that a command gives, if any."""
    given = command.get("segmentation")
    return None if given is None else StructuresArray(given)


def perform(command: dict[str, Any], say: Say) -> dict[str, Any]:
    """Carry out a ``register`` command.

    Returns:
        The report of the registration, as ``madreg register --report`` writes it.

    Raises:
        InputError: if an image or a setting cannot be used.
    """
    from madreg.pipeline.job import Job, run_job
    from madreg.pipeline.outputs import Outputs

    _need(command, fixed=dict, moving=dict, settings=dict)
    outputs = Outputs(
        resampled=_path(command.get("resampled")), error_map=_path(command.get("error_map")), durable=False
    )
    settings = Settings.from_mapping(command["settings"])
    resampling = Resampling.from_mapping(command.get("resampling", {}))
    # what becomes of a failed registration is for the user of the panel to say
    scans = ScanArray(command["fixed"]), ScanArray(command["moving"])
    structures = structures_of(command)
    job = Job(*scans, settings, outputs, segmentation=structures, keep_failed=True, resampling=resampling)
    worker_log.write(worker_log.beginning(command))
    report = run_job(job, progress_reporter(say, command["job"])).report
    worker_log.write(worker_log.ending(report))
    return report


def assess(command: dict[str, Any], say: Say) -> dict[str, Any]:
    """Carry out an ``assess`` command.

    Returns:
        The report of the assessment, as ``madreg assess --report`` writes it.

    Raises:
        InputError: if an image, the transform or a setting cannot be used.
    """
    from madreg.image.transform import Transform
    from madreg.pipeline.assessment_job import AssessmentJob, run_assessment
    from madreg.pipeline.outputs import Outputs

    _need(command, fixed=dict, moving=dict, settings=dict, transform=list)
    try:
        transform = Transform(command["transform"])
    except (TypeError, ValueError) as error:
        raise InputError(_UNUSABLE.format("transform")) from error
    scans = ScanArray(command["fixed"]), ScanArray(command["moving"])
    outputs = Outputs(error_map=_path(command.get("error_map")), durable=False)
    settings = Settings.from_mapping(command["settings"])
    job = AssessmentJob(*scans, transform, settings, outputs, structures_of(command))
    worker_log.write(f"Assessing {command['moving']['name']} on {command['fixed']['name']}")
    report = run_assessment(job, progress_reporter(say, command["job"])).report
    worker_log.write(f"{report['verdict']}, estimated error {worker_log.millimetres(report['error_mm'])}")
    return report


def compare(command: dict[str, Any]) -> None:
    """Carry out a ``compare`` command: see :mod:`madreg.pictures.comparison`."""
    import numpy as np

    from madreg.pictures.comparison import compare

    _need(command, fixed=dict, moving=dict, kind=str, output=str)
    for role in ("fixed", "moving"):
        ScanArray(command[role]).check()
    voxels = compare(image_of(command["fixed"]), image_of(command["moving"]), command["kind"])
    np.save(command["output"], voxels, allow_pickle=False)


def pair(command: dict[str, Any]) -> dict[str, Any]:
    """Carry out a ``pair`` command: register two files as ``madreg batch`` does.

    Returns:
        The entry of the pair for the manifest, also if it has no result.
    """
    from madreg.batch.work import register_pair

    _need(command, task=dict)
    task = command["task"]
    worker_log.write(f"Registering the pair {task['pair']['id']}")
    entry = register_pair(task)
    worker_log.write(f"{task['pair']['id']}: {entry.get('verdict') or entry['message']}")
    return entry


_UNUSABLE = 'A command to the registration process has no usable "{}": update MADRegistration.'


def _need(values: Any, **types: type) -> None:
    """Raise InputError unless a command or a part of it is an object with these values."""
    for name, kind in types.items():
        if not isinstance(values, dict) or not isinstance(values.get(name), kind):
            raise InputError(_UNUSABLE.format(name))


def _path(name: Any) -> Path | None:
    if name is not None and not isinstance(name, str):
        raise InputError("A command to the registration process names no file to write: update MADRegistration.")
    return Path(name) if name else None


def progress_reporter(say: Say, job: int) -> Callable[[Any], None]:
    """A progress callback that says so, within a stage at most every :data:`PROGRESS_SECONDS`, with the time left in
    seconds."""
    began, last, stage = time.monotonic(), -1.0, ""

    def report(progress: Any) -> None:
        nonlocal last, stage
        now = time.monotonic()
        if now - last < PROGRESS_SECONDS and progress.stage == stage:
            return
        last, stage = now, progress.stage
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

    return report


def devices() -> list[dict[str, str]]:
    """Every device that can compute here: its name for ``Settings.device`` and what it is in words."""
    import torch

    import madreg.pipeline.registration  # noqa: F401  (loaded now, not at the first command)
    from madreg.system.device import describe

    found = [f"cuda:{n}" for n in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    found += ["mps"] if torch.backends.mps.is_available() else []
    return [{"name": name, "text": describe(torch.device(name))} for name in [*found, "cpu"]]


def answer(command: dict[str, Any], say: Say) -> None:
    """Carry out one command; whatever goes wrong is said as an ``error`` event, and the worker goes on."""
    job = command["job"]
    try:
        if command["command"] == "compare":
            compare(command)
            say("result", job=job)
        elif command["command"] == "pair":
            say("result", job=job, entry=pair(command))
        else:
            report = (assess if command["command"] == "assess" else perform)(command, say)
            say("result", job=job, report=report, error_map=command.get("error_map") if "worst_mm" in report else None)
    except InputError as error:
        worker_log.write(str(error))
        say("error", job=job, kind="input", message=str(error))
    except Exception as error:
        traceback.print_exc()
        kind = "memory" if is_memory_error(error) else "internal"
        say("error", job=job, kind=kind, message=f"{type(error).__name__}: {error}")


# --- the process ----------------------------------------------------------------------------------------------------


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
