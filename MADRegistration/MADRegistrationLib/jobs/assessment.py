"""One assessment in the scene: how well two volumes fit where they lie.  No node is moved or changed; an error map is
added, which also keeps what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from madreg.errors import InputError
from madreg.image.geometry import flip_world

from ..inputs import Inputs
from ..results import report, storedreport
from ..results.errormap import ErrorMap
from ..results.structuretable import StructureTable
from ..scene.coordinatesystem import CoordinateSystem
from ..scene.transforms import parentToWorld
from ..worker.client import WorkerClient
from .job import SceneJob
from .progress import Progress


class SceneAssessment(SceneJob):
    """One assessment under way, or over.

    The worker gets both volumes without their parent transforms, and what these make of them as a transform: the same
    as ``madreg assess`` on the files with the transform of a registration.

    Args:
        inputs: of which only the two volumes, their masks and the structures are used.
        settings: as of a registration, of which only the device, the random seed and the weights are used.

    Attributes:
        report: for ``done``, see :func:`report.ofAssessment`.
    """

    NAME = "assessment"

    def __init__(
        self,
        client: WorkerClient,
        inputs: Inputs,
        settings: dict[str, Any],
        onProgress: Callable[[Progress], None] | None = None,
    ) -> None:
        super().__init__(client, inputs.fixed, inputs.moving, onProgress)
        self._inputs, self._settings = inputs, settings
        self.report: dict[str, Any] = {}
        self._errorMap: ErrorMap | None = None
        self._table: StructureTable | None = None

    def _prepare(self) -> None:
        self._inputs.checkVolumes()
        self._voxels = storedreport.voxelsOf(self.fixed, self.moving)
        self._coordinates = CoordinateSystem(self.fixed)
        self._worldToMoving = flip_world(np.linalg.inv(parentToWorld(self.moving)))

    def _command(self) -> Iterator[None]:
        inputs, files = self._inputs, self._files
        return {
            "command": "assess",
            "settings": self._settings,
            "fixed": (yield from files.write(self.fixed, "fixed", inputs.fixedMask, self._coordinates.fromWorld)),
            "moving": (yield from files.write(self.moving, "moving", inputs.movingMask, self._worldToMoving)),
            "transform": (self._worldToMoving @ self._coordinates.toWorld).tolist(),
            "segmentation": (yield from files.writeStructures(inputs.structures, self._coordinates.fromWorld)),
            "error_map": str(files.folder / "error-map.nrrd"),
        }

    def _finish(self, event: dict[str, Any]) -> Iterator[None]:
        if not event.get("error_map"):
            raise InputError(
                f'"{self.fixed.GetName()}" and "{self.moving.GetName()}" do not overlap where they lie: '
                "there is nothing to assess."
            )
        self.report = {**report.ofAssessment(event["report"], self._coordinates), "voxels": self._voxels}
        errorMap = ErrorMap(Path(event["error_map"]), self.report, self._coordinates.toWorld)
        yield
        self._errorMap = errorMap
        errorMap.put(self.fixed, self.moving)
        self._table = StructureTable(self.report)
        self._table.put(self.fixed, self.moving)

    def _undo(self) -> None:
        if self._errorMap is not None:
            self._errorMap.remove()
        if self._table is not None:
            self._table.remove()
