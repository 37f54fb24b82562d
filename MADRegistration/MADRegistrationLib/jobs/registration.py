"""One registration in the scene, from the nodes to the transform: applied, signed, and revertible."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from ..inputs import Inputs
from ..results import report
from ..results.errormap import ErrorMap
from ..results.resampledvolume import NotAsBefore
from ..results.sceneresult import SceneResult
from ..results.verdict import verdictOf
from ..scene import volumes
from ..scene.coordinatesystem import CoordinateSystem
from ..worker.client import WorkerClient
from .history import History
from .job import SceneJob
from .progress import Progress
from .registercommand import registerCommand


class SceneRegistration(SceneJob):
    """One registration under way, or over.

    A result whose verdict is ``failed`` is an attempt: the scene is as it was before, until :meth:`showAttempt`.

    Args:
        settings: fields of ``madreg.settings.Settings``.
        follow: whether the moving volume shows the progress in the scene.
        run: what the registrations that belong together have in common, see :func:`newRun`.

    Attributes:
        report: for ``done``, see :func:`report.inWorld`.
        history: of all progress.
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
        self.inputs, self.settings, self.follow, self._run = inputs, settings, follow, run or newRun()
        self.report: dict[str, Any] = {}
        self.history: History | None = None
        self._errorMap: ErrorMap | None = None
        self._result: SceneResult | None = None

    @property
    def _needsPlace(self) -> bool:
        return not self._isSent  # the result belongs to the two volumes, wherever they are taken

    def _prepare(self) -> None:
        self.inputs.check()
        self._result = SceneResult(self.inputs, self._run)
        self._coordinates = CoordinateSystem(self.fixed, self.inputs.initial)
        self.history = History(volumes.imageOfVolume(self.fixed))
        self._center = volumes.imageOfVolume(self.moving).grid.center

    def _command(self) -> Iterator[None]:
        return (yield from registerCommand(self._files, self.inputs, self.settings, self._coordinates))

    def _record(self, event: dict[str, Any]) -> None:
        self.history.add(event["fraction"], self._coordinates.inWorld(np.array(event["matrix"])), event["error_mm"])

    def _follow(self, event: dict[str, Any]) -> None:
        if self.follow:
            self._result.follow(self.history.pose)

    def _finish(self, event: dict[str, Any]) -> Iterator[None]:
        found = event["report"] | {"voxels": self._result.voxels}
        self.report = report.inWorld(found, self._coordinates, self._center)
        matrix = np.array(self.report["matrix_fixed_to_moving_lps"])
        self.history.add(1.0, matrix, self.report["error_after_mm"])
        if event.get("error_map"):
            self._errorMap = ErrorMap(Path(event["error_map"]), self.report, self._coordinates.toWorld)
        yield
        if verdictOf(self.report)[0] == "failed":
            self._result.keepAttempt(matrix, self.report)
            return
        self._result.apply(matrix, self.report, self._errorMap)
        yield
        if self.inputs.resampled is not None:
            yield from self._result.resample(np.load(self._files.output, allow_pickle=False), self.report)

    def _undo(self) -> None:
        self._result.undo()

    @property
    def isApplied(self) -> bool:
        """Whether the moving volume lies where the result says."""
        return self._result is not None and self._result.isApplied

    @property
    def isAttempt(self) -> bool:
        """Whether the verdict is ``failed``, so that the result is only applied when the user asks for it."""
        return self.state == "done" and verdictOf(self.report)[0] == "failed"

    @property
    def poseBefore(self) -> np.ndarray | None:
        """Of an attempt: where both volumes were left, see :func:`pose.poseOf`."""
        return self._result.poseBefore

    def showAttempt(self) -> None:
        """Apply a result whose verdict is ``failed``.

        Raises:
            InputError: if the scene does not allow it any more.
        """
        self._result.showAttempt(self.report, self._errorMap)

    def hideAttempt(self) -> None:
        """Take it back."""
        self._result.undo()

    @property
    def canRevert(self) -> bool:
        isThere = self.moving.GetScene() is not None
        return self.state == "done" and self.isApplied and isThere and not self._result.isHardened

    @property
    def transform(self) -> slicer.vtkMRMLLinearTransformNode | None:
        """The result; None where it is not applied and the transform did not exist before."""
        return self._result.placement.transform

    @property
    def madeTransform(self) -> bool:
        """Whether the transform did not exist before."""
        return self._result.placement.madeTransform

    def revert(self) -> NotAsBefore:
        """Put the scene back to what it was before, except for what is returned."""
        if not self.canRevert:
            return None, None
        self.state = "reverted"
        return None, self._result.undo()


def newRun() -> str:
    """A name for registrations that belong together: the time, so that later ones sort behind."""
    return datetime.now(timezone.utc).isoformat()
