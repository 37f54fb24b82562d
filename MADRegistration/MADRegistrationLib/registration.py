"""One registration in the scene, from the nodes to the transform, without ever waiting.

:class:`SceneRegistration` writes the voxels piece by piece, hands them to the worker, lets the moving volume follow
the worker's progress, and ends in one of three ways: ``done`` (the result is applied and signed), ``cancelled`` or
``failed`` (the scene is as it was before).
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from madreg.errors import InputError
from madreg.geometry import apply

from . import volumes
from .client import WorkerClient
from .placement import Placement

_jobs = itertools.count(1)

MESSAGE_OF_ERROR = {
    "input": "{message}",
    "memory": "The computer ran out of memory ({message}): close other programs or volumes, crop the volumes to the "
              "region of interest (module Crop Volume), or choose the CPU. Nothing was changed. The log is {log}",
    "internal": "The registration failed ({message}): nothing was changed. The log is {log}",
}


@dataclass(frozen=True)
class Inputs:
    """What is registered and where the result goes; nodes, of which all but the two volumes may be None."""

    fixed: slicer.vtkMRMLScalarVolumeNode
    moving: slicer.vtkMRMLScalarVolumeNode
    fixedMask: slicer.vtkMRMLNode | None = None
    movingMask: slicer.vtkMRMLNode | None = None
    transform: slicer.vtkMRMLLinearTransformNode | None = None
    resampled: slicer.vtkMRMLScalarVolumeNode | None = None

    def check(self) -> None:
        """Raise InputError, in one sentence, for what cannot be registered."""
        for node, role in ((self.fixed, "fixed"), (self.moving, "moving")):
            if node is None:
                raise InputError(f"Choose a {role} volume.")
            reason = volumes.whyNotVolume(node)
            if reason:
                raise InputError(reason)
        if self.fixed is self.moving:
            raise InputError("The fixed and the moving volume are the same: choose two different ones.")
        if self.resampled is not None and self.resampled in (self.fixed, self.moving, self.fixedMask, self.movingMask):
            raise InputError(f'"{self.resampled.GetName()}" is an input and would be overwritten: choose another '
                             "resampled volume.")


@dataclass(frozen=True)
class Progress:
    """Where a registration stands, for the panel; what is not known yet is None."""

    stage: str
    fraction: float
    secondsLeft: float | None = None
    errorMm: float | None = None


@dataclass
class SceneRegistration:
    """One registration under way, or over.

    Call :meth:`start`, then :meth:`poll` often until :attr:`state` is no longer ``running``.

    Attributes:
        settings: fields of ``madreg.registration.Settings``.
        follow: whether the moving volume shows the progress in the scene.
        onProgress: called from :meth:`poll`.
        state: ``new``, ``running``, ``done``, ``cancelled`` or ``failed``.
        message: for ``failed``, one sentence for the user.
        report: for ``done``, what ``madreg register --report`` writes, and ``moved_mm``, how far the centre of the
            moving volume went.
        history: (fraction of the run, estimated error in mm) for every estimate that came.
    """

    client: WorkerClient
    inputs: Inputs
    settings: dict[str, Any]
    follow: bool = True
    onProgress: Callable[[Progress], None] = lambda progress: None
    state: str = "new"
    message: str = ""
    report: dict[str, Any] = field(default_factory=dict)
    history: list[tuple[float, float]] = field(default_factory=list)

    def start(self) -> None:
        """Check the inputs and begin.

        Raises:
            InputError: with a sentence for the user; nothing has been changed.
        """
        self.inputs.check()
        self.placement = Placement(self.inputs.fixed, self.inputs.moving, self.inputs.transform)
        moving = volumes.imageOfVolume(self.inputs.moving)
        self._center = apply(moving.matrix, (np.array(moving.array.shape[::-1]) - 1) / 2)
        self._former = _VoxelsBefore(self.inputs.resampled) if self.inputs.resampled is not None else None
        self._job = next(_jobs)
        try:
            self.client.start()
        except OSError as error:
            raise InputError(f"The registration process cannot be started: {error}") from error
        self._folder = self.client.folder / str(self._job)
        self._folder.mkdir()
        self._steps = self._send()
        self.state = "running"
        self.onProgress(Progress("preparing", 0.0))

    def _send(self) -> Iterator[None]:
        """Write the images and send the command, a short piece of work at a time."""
        inputs = self.inputs
        command: dict[str, Any] = {"command": "register", "job": self._job, "settings": self.settings}
        for role, node, mask in (("fixed", inputs.fixed, inputs.fixedMask), ("moving", inputs.moving,
                                                                             inputs.movingMask)):
            image = volumes.imageOfVolume(node)
            description = command[role] = {"name": image.name, "mask": None}
            description |= yield from self._write(image, role)
            if mask is not None:
                description["mask"] = yield from self._write(volumes.imageOfMask(mask), f"{role}-mask")
        command["resampled"] = str(self._resampledPath) if inputs.resampled is not None else None
        self.client.send(**command)

    def _write(self, image: volumes.Image, role: str) -> Iterator[None]:
        path = self._folder / f"{role}.npy"
        yield from volumes.write(image, path)
        return {"voxels": str(path), "matrix": image.matrix.tolist()}

    @property
    def _resampledPath(self) -> Path:
        return self._folder / "resampled.npy"

    def poll(self) -> None:
        """Do a little of what there is to do: one piece to write, whatever the worker has said."""
        if self.state != "running":
            return
        try:
            next(self._steps, None)
        except InputError as error:
            return self._fail(str(error))
        except OSError as error:
            return self._fail(f"The volumes could not be written to {self._folder}: {error.strerror or error}")
        latest = None
        for event in self.client.poll():
            if event["event"] == "lost":
                return self._fail(event["message"], stopped=True)
            if event.get("job") != self._job:
                continue
            if event["event"] == "progress":
                latest = event
                if event["error_mm"] is not None:
                    self.history.append((event["fraction"], event["error_mm"]))
            elif event["event"] == "error":
                log = self.client.keepLog()
                return self._fail(MESSAGE_OF_ERROR[event["kind"]].format(message=event["message"], log=log))
            elif event["event"] == "result":
                return self._finish(event["report"])
        if not self._nodesExist():
            return self.cancel()
        if latest is not None:
            # only the newest pose is worth drawing
            if self.follow:
                self.placement.show(np.array(latest["matrix"]))
            self.onProgress(Progress(latest["stage"], latest["fraction"], latest["seconds_left"], latest["error_mm"]))

    def _nodesExist(self) -> bool:
        return all(node.GetScene() is not None for node in (self.inputs.fixed, self.inputs.moving))

    def _finish(self, report: dict[str, Any]) -> None:
        if not self._nodesExist():
            return self.cancel()
        matrix = np.array(report["matrix_fixed_to_moving_lps"])
        moved = apply(np.linalg.inv(matrix), self._center) - self._center
        self.report = {**report, "moved_mm": float(np.linalg.norm(moved))}
        try:
            resampled = np.load(self._resampledPath, allow_pickle=False) if self._former is not None else None
        except (OSError, ValueError) as error:
            return self._fail(f"The resampled volume could not be read: {error}")
        self.placement.show(matrix)
        self.placement.sign(_attributes(report))
        if resampled is not None and self.inputs.resampled.GetScene() is not None:
            volumes.setVoxels(self.inputs.resampled, resampled, like=self.inputs.fixed)
        self._removeFiles()
        self.state = "done"

    def cancel(self) -> None:
        """Stop at once: the worker is killed and the scene put back."""
        if self.state == "running":
            self.client.stop()
            self.placement.restore()
            self.state = "cancelled"

    def _fail(self, message: str, stopped: bool = False) -> None:
        self.placement.restore()
        if not stopped:
            self._removeFiles()
        self.message, self.state = message, "failed"

    def _removeFiles(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def canRevert(self) -> bool:
        return self.state == "done" and self.inputs.moving.GetScene() is not None

    def revert(self) -> None:
        """Put the scene back to what it was before this registration, the resampled volume included."""
        if not self.canRevert:
            return
        self.placement.restore()
        if self._former is not None:
            self._former.restore()
        self.state = "reverted"


class _VoxelsBefore:
    """What a volume node showed before a resampled volume was written to it."""

    def __init__(self, node: slicer.vtkMRMLScalarVolumeNode) -> None:
        import vtk

        self.node, self.voxels, self.parentId = node, node.GetImageData(), node.GetTransformNodeID()
        self.matrix = vtk.vtkMatrix4x4()
        node.GetIJKToRASMatrix(self.matrix)

    def restore(self) -> None:
        if self.node.GetScene() is None:
            return
        self.node.SetAndObserveImageData(self.voxels)
        self.node.SetIJKToRASMatrix(self.matrix)
        self.node.SetAndObserveTransformNodeID(self.parentId)


def _attributes(report: dict[str, Any]) -> dict[str, str]:
    """What a saved scene tells of a registration."""
    def number(name: str, digits: int) -> str:
        return "unknown" if report.get(name) is None else f"{report[name]:.{digits}f}"

    return {
        "Version": str(report["madreg"]),
        "Weights": str(report.get("weights_sha256") or "none"),
        "Settings": json.dumps(report["settings"]),
        "ErrorBeforeMm": number("error_before_mm", 2),
        "ErrorAfterMm": number("error_after_mm", 2),
        "Overlap": number("overlap", 3),
        "Seconds": number("seconds", 1),
        "Device": str(report["device"]),
    }
