"""What the worker does on a command, and what it answers: see :mod:`madreg.commands.worker`."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import InputError, is_memory_error
from ..settings import Resampling, Settings
from ..system.lengths import millimeters
from . import worker_log
from .worker_scans import UNUSABLE, ScanArray, image_of, need, structures_of

PROGRESS_SECONDS = 0.1

Say = Callable[..., None]
"""Writes an event: its name, and its fields by keyword."""


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
            report = (assess if command["command"] == "assess" else register)(command, say)
            say("result", job=job, report=report, error_map=command.get("error_map") if "worst_mm" in report else None)
    except InputError as error:
        worker_log.write(str(error))
        say("error", job=job, kind="input", message=str(error))
    except Exception as error:
        traceback.print_exc()
        kind = "memory" if is_memory_error(error) else "internal"
        say("error", job=job, kind=kind, message=f"{type(error).__name__}: {error}")


def register(command: dict[str, Any], say: Say) -> dict[str, Any]:
    """Carry out a ``register`` command.

    Returns:
        The report of the registration, as ``madreg register --report`` writes it.

    Raises:
        InputError: if an image or a setting cannot be used.
    """
    from ..pipeline.job import Job, run_job
    from ..pipeline.outputs import Outputs

    need(command, fixed=dict, moving=dict, settings=dict)
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
    from ..image.transform import Transform
    from ..pipeline.assessment_job import AssessmentJob, run_assessment
    from ..pipeline.outputs import Outputs

    need(command, fixed=dict, moving=dict, settings=dict, transform=list)
    try:
        transform = Transform(command["transform"])
    except (TypeError, ValueError) as error:
        raise InputError(UNUSABLE.format("transform")) from error
    scans = ScanArray(command["fixed"]), ScanArray(command["moving"])
    outputs = Outputs(error_map=_path(command.get("error_map")), durable=False)
    settings = Settings.from_mapping(command["settings"])
    job = AssessmentJob(*scans, transform, settings, outputs, structures_of(command))
    worker_log.write(f"Assessing {command['moving']['name']} on {command['fixed']['name']}")
    report = run_assessment(job, progress_reporter(say, command["job"])).report
    worker_log.write(f"{report['verdict']}, estimated error {millimeters(report['error_mm'])}")
    return report


def compare(command: dict[str, Any]) -> None:
    """Carry out a ``compare`` command: see :mod:`madreg.pictures.comparison`."""
    import numpy as np
    import SimpleITK as sitk

    from ..io.scan import check_finite
    from ..pictures.comparison import compare

    need(command, fixed=dict, moving=dict, kind=str, output=str)
    for role in ("fixed", "moving"):
        ScanArray(command[role]).check()
    fixed, moving = image_of(command["fixed"]), image_of(command["moving"])
    for image, role in ((fixed, "fixed"), (moving, "moving")):
        check_finite(sitk.GetArrayViewFromImage(image), command[role]["name"])
    voxels = compare(fixed, moving, command["kind"])
    np.save(command["output"], voxels, allow_pickle=False)


def pair(command: dict[str, Any]) -> dict[str, Any]:
    """Carry out a ``pair`` command: register two files as ``madreg batch`` does.

    Returns:
        The entry of the pair for the manifest, also if it has no result.
    """
    from ..batch.work import register_pair

    need(command, task=dict)
    task = command["task"]
    worker_log.write(f"Registering the pair {task['pair']['id']}")
    entry = register_pair(task)
    worker_log.write(f"{task['pair']['id']}: {entry.get('verdict') or entry['message']}")
    return entry


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
