"""One registration in the scene, from the nodes to the transform: applied, signed, and revertible."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from madreg.errors import InputError
from madreg.image.geometry import Grid, apply, mean_displacement

from . import saved, volumes
from .before import ERROR_MAP
from .client import WorkerClient
from .errormap import ErrorMap
from .job import Progress, SceneJob
from .placement import Placement


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
            raise InputError(
                f'"{self.resampled.GetName()}" is an input and would be overwritten: choose another resampled volume.'
            )


class SceneRegistration(SceneJob):
    """One registration under way, or over.

    Args:
        settings: fields of ``madreg.settings.Settings``.
        follow: whether the moving volume shows the progress in the scene.
        run: what the registrations that belong together have in common, see :func:`newRun`.

    Attributes:
        report: for ``done``, what ``madreg register --report`` writes, and ``moved_mm``, how far the centre of the
            moving volume went.
        history: (fraction of the run, 4x4 pose, estimated error in mm or None) of all progress.
        errorMap: the estimated error all over the fixed volume, if the backend has sent it.
        state: as of every job, or ``reverted``.
    """

    def __init__(
        self,
        client: WorkerClient,
        inputs: Inputs,
        settings: dict[str, Any],
        follow: bool = True,
        onProgress: Callable[[Progress], None] | None = None,
        run: str | None = None,
    ) -> None:
        super().__init__(client, inputs.fixed, inputs.moving, onProgress)
        self.inputs, self.settings, self.follow, self.run = inputs, settings, follow, run or newRun()
        self.errorMap: ErrorMap | None = None
        self.report: dict[str, Any] = {}
        self.history: list[tuple[float, np.ndarray, float | None]] = []

    def _prepare(self) -> None:
        self.inputs.check()
        self.placement = Placement(self.fixed, self.moving, self.inputs.transform)
        moving = volumes.imageOfVolume(self.moving)
        fixed = volumes.imageOfVolume(self.fixed)
        self._corners = Grid(fixed.array.shape[::-1], fixed.matrix).corners
        self._center = apply(moving.matrix, (np.array(moving.array.shape[::-1]) - 1) / 2)
        self._former = None if self.inputs.resampled is None else volumes.VoxelsBefore(self.inputs.resampled)

    def _command(self) -> Iterator[None]:
        return {
            "command": "register",
            "settings": self.settings,
            "fixed": (yield from self._write(self.fixed, "fixed", self.inputs.fixedMask)),
            "moving": (yield from self._write(self.moving, "moving", self.inputs.movingMask)),
            "resampled": None if self.inputs.resampled is None else str(self._outputPath),
            "error_map": str(self._folder / "error-map.nrrd"),
        }

    def _record(self, event: dict[str, Any]) -> None:
        self.history.append((event["fraction"], np.array(event["matrix"]), event["error_mm"]))

    def _follow(self, event: dict[str, Any]) -> None:
        if self.follow:
            self.placement.show(np.array(event["matrix"]))

    def _finish(self, event: dict[str, Any]) -> Iterator[None]:
        report = event["report"]
        voxels = None if self.inputs.resampled is None else np.load(self._outputPath, allow_pickle=False)
        errorMap = ErrorMap(Path(event["error_map"]), report) if event.get("error_map") else None
        yield
        matrix = np.array(report["matrix_fixed_to_moving_lps"])
        moved = apply(np.linalg.inv(matrix), self._center) - self._center
        self.report = {**report, "moved_mm": float(np.linalg.norm(moved))}
        self.history.append((1.0, matrix, report["error_after_mm"]))
        self.placement.show(matrix)
        transform = self.placement.transform
        self.placement.sign({**_attributes(report), saved.RUN: self.run})
        saved.signResampled(transform, self._former)
        if errorMap is None:
            transform.SetNodeReferenceID(ERROR_MAP, None)  # of an earlier result
        else:
            errorMap.put(self.fixed, self.moving, transform)
            self.errorMap = errorMap
        yield
        if voxels is not None and self.inputs.resampled.GetScene() is not None:
            volumes.setVoxels(self.inputs.resampled, voxels, like=self.fixed)
            yield
            volumes.setDisplay(self.inputs.resampled, like=self.moving)

    def convergence(self) -> np.ndarray:
        """How the registration went: (n, 3) of percent of the run, distance in mm from the final pose (mean over the
        corners of the fixed volume), and estimated error in mm or NaN."""
        final = self.history[-1][1]
        return np.array(
            [
                (100 * fraction, mean_displacement(matrix, final, self._corners), np.nan if error is None else error)
                for fraction, matrix, error in self.history
            ]
        )

    def _undo(self) -> None:
        if self.errorMap is not None:
            self.errorMap.remove()
        self.placement.restore()
        if self._former is not None:
            self._former.restore()

    @property
    def canRevert(self) -> bool:
        return self.state == "done" and self.moving.GetScene() is not None

    overwritten = None  # :meth:`revert` gives everything back

    @property
    def transform(self) -> slicer.vtkMRMLLinearTransformNode | None:
        """The result."""
        return self.placement.transform

    @property
    def madeTransform(self) -> bool:
        """Whether the transform did not exist before."""
        return self.inputs.transform is None

    def revert(self) -> None:
        """Put the scene back to what it was before this registration, the resampled volume included."""
        if not self.canRevert:
            return
        self._undo()
        self.state = "reverted"


def newRun() -> str:
    """A name for registrations that belong together: the time, so that later ones sort behind."""
    return datetime.now(timezone.utc).isoformat()


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
