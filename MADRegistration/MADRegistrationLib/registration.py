"""One registration in the scene, from the nodes to the transform: applied, signed, and revertible."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from madreg.image.geometry import Grid, apply, flip_world, mean_displacement

from . import outcome, saved, volumes
from .before import ERROR_MAP
from .client import WorkerClient
from .errormap import ErrorMap
from .frame import Frame
from .inputs import Inputs
from .job import Progress, SceneJob
from .placement import Placement, ownTransform
from .verdict import verdictOf
from .voxels import VoxelsBefore, setDisplay, setVoxels


class SceneRegistration(SceneJob):
    """One registration under way, or over.

    A result whose verdict is ``failed`` is an attempt: the scene is as it was before, until :meth:`apply`.

    Args:
        settings: fields of ``madreg.settings.Settings``.
        follow: whether the moving volume shows the progress in the scene.
        run: what the registrations that belong together have in common, see :func:`newRun`.

    Attributes:
        report: for ``done``, what ``madreg register --report`` writes, in the world, and ``moved_mm``, how far the
            centre of the moving volume went.
        isApplied: whether the moving volume lies where the result says.
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
        self.isApplied = False
        self.history: list[tuple[float, np.ndarray, float | None]] = []

    def _prepare(self) -> None:
        self.inputs.check()
        self.placement = self._place()
        self._frame = Frame(self.fixed, self.inputs.initial)
        moving = volumes.imageOfVolume(self.moving)
        fixed = volumes.imageOfVolume(self.fixed)
        self._corners = Grid(fixed.array.shape[::-1], fixed.matrix).corners
        self._center = apply(moving.matrix, (np.array(moving.array.shape[::-1]) - 1) / 2)
        self._former = None if self.inputs.resampled is None else VoxelsBefore(self.inputs.resampled)
        self._drawn = [node for node in (*self.inputs.drawn, self.inputs.movingMask) if node is not None]

    def _place(self) -> Placement:
        transform = self.inputs.transform or ownTransform(self.fixed, self.moving)
        return Placement(self.fixed, self.moving, transform, self.inputs.along)

    def _command(self) -> Iterator[None]:
        return {
            "command": "register",
            "settings": self.settings,
            "fixed": (yield from self._write(self.fixed, "fixed", self.inputs.fixedMask)),
            "moving": (yield from self._write(self.moving, "moving", self.inputs.movingMask)),
            "resampled": None if self.inputs.resampled is None else str(self._outputPath),
            "error_map": str(self._folder / "error-map.nrrd"),
        }

    def _writeImage(self, image: volumes.Image, role: str) -> Iterator[None]:
        motion = self._frame.movingFromWorld if role.startswith("moving") else self._frame.fromWorld
        return (yield from super()._writeImage(image.moved(motion), role))

    def _record(self, event: dict[str, Any]) -> None:
        self.history.append((event["fraction"], self._frame.inWorld(np.array(event["matrix"])), event["error_mm"]))

    def _follow(self, event: dict[str, Any]) -> None:
        if self.follow:
            self.placement.show(self.history[-1][1])

    def _finish(self, event: dict[str, Any]) -> Iterator[None]:
        self.report = self._inWorld(event["report"])
        self._matrix = np.array(self.report["matrix_fixed_to_moving_lps"])
        moved = apply(np.linalg.inv(self._matrix), self._center) - self._center
        self.report["moved_mm"] = float(np.linalg.norm(moved))
        self.history.append((1.0, self._matrix, self.report["error_after_mm"]))
        if event.get("error_map"):
            self.errorMap = ErrorMap(Path(event["error_map"]), self.report, self._frame.toWorld)
        yield
        if verdictOf(self.report)[0] == "failed":
            self._keepAttempt()
            return
        self._apply(self._matrix)
        yield
        if self.inputs.resampled is not None:
            yield from self._resample(np.load(self._outputPath, allow_pickle=False))
            outcome.keep(self.placement.transform, self.fixed, self.moving, self.report)

    def _inWorld(self, report: dict[str, Any]) -> dict[str, Any]:
        """The report of the worker, which has no access to the scene, with positions of the scene's world."""
        matrix = self._frame.inWorld(np.array(report["matrix_fixed_to_moving_lps"]))
        converted = {
            "matrix_fixed_to_moving_lps": matrix.tolist(),
            "matrix_fixed_to_moving_ras": flip_world(matrix).tolist(),
            "notices": list(report.get("notices", [])),
        }
        if report.get("worst_point_lps") is not None:
            converted["worst_point_lps"] = apply(self._frame.toWorld, np.array(report["worst_point_lps"])).tolist()
        return {**report, **converted}

    def _keepAttempt(self) -> None:
        self._attempt = self.placement.ownPose(self._matrix)
        self.placement.restore()
        if self.inputs.resampled is not None:
            self._note(f'"{self.inputs.resampled.GetName()}" was not written.')

    def _apply(self, matrix: np.ndarray) -> None:
        """Put the moving volume in place (4x4, fixed LPS to moving LPS), and all that belongs to it."""
        self.placement.show(matrix)
        transform = self.placement.transform
        if self.placement.isReplaced:
            self._note(f'The output transform was deleted meanwhile: the result is in "{transform.GetName()}".')
        self.placement.sign({**_attributes(self.report), saved.RUN: self.run}, self._drawn)
        outcome.keep(transform, self.fixed, self.moving, self.report)
        saved.signResampled(transform, self._former)
        if self.errorMap is None:
            transform.SetNodeReferenceID(ERROR_MAP, None)  # of an earlier result
        else:
            self.errorMap.put(self.fixed, self.moving, transform)
        self.isApplied = True

    def _resample(self, voxels: np.ndarray) -> Iterator[None]:
        if self.inputs.resampled.GetScene() is None:
            return self._note("The resampled volume was deleted meanwhile, and not written.")
        setVoxels(self.inputs.resampled, voxels, like=self.fixed)
        yield
        setDisplay(self.inputs.resampled, like=self.moving)

    def _note(self, notice: str) -> None:
        self.report["notices"].append(notice)

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
        self.isApplied = False

    # --- afterwards ----------------------------------------------------------------------------------------------

    @property
    def isAttempt(self) -> bool:
        """Whether the verdict is ``failed``, so that the result is only applied when the user asks for it."""
        return self.state == "done" and verdictOf(self.report)[0] == "failed"

    def showAttempt(self) -> None:
        """Apply a result whose verdict is ``failed``.

        Raises:
            InputError: if the scene does not allow it any more.
        """
        self.placement = self._place()
        self._apply(self.placement.fromOwnPose(self._attempt))

    def hideAttempt(self) -> None:
        """Take it back."""
        self._undo()

    @property
    def canRevert(self) -> bool:
        return self.state == "done" and self.isApplied and self.moving.GetScene() is not None

    overwritten = None  # :meth:`revert` gives everything back

    @property
    def transform(self) -> slicer.vtkMRMLLinearTransformNode | None:
        """The result; None where it is not applied and the transform did not exist before."""
        return self.placement.transform

    @property
    def madeTransform(self) -> bool:
        """Whether the transform did not exist before."""
        return self.placement.madeTransform

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
    """What a saved scene holds of a registration."""

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
