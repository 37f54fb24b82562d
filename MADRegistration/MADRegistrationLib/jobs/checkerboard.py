"""Making the checkerboard of two volumes as they lie now; see :mod:`views.checkerboard`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import slicer

from madreg.errors import InputError

from ..scene import volumes
from ..scene.voxels import setVoxels
from ..views import checkerboard
from ..worker.client import WorkerClient
from .job import SceneJob


class SceneCheckerboard(SceneJob):
    """Makes the volume; a former one of the same pair is overwritten.

    Attributes:
        node: for ``done``, the volume, on the grid of the fixed one, 0 to 255.
    """

    NAME = "comparison"

    def __init__(
        self,
        client: WorkerClient,
        fixed: slicer.vtkMRMLScalarVolumeNode,
        moving: slicer.vtkMRMLScalarVolumeNode,
        **options: Any,
    ) -> None:
        super().__init__(client, fixed, moving, **options)
        self.node: slicer.vtkMRMLScalarVolumeNode | None = None

    def _prepare(self) -> None:
        for node in (self.fixed, self.moving):
            reason = volumes.whyNotVolume(node)
            if reason:
                raise InputError(reason)
        self._state = checkerboard.stateOf(self.fixed, self.moving)

    def _command(self) -> Iterator[None]:
        return {
            "command": "compare",
            "kind": checkerboard.KIND,
            "fixed": (yield from self._files.write(self.fixed, "fixed")),
            "moving": (yield from self._files.write(self.moving, "moving")),
            "output": str(self._files.output),
        }

    def _finish(self, event: dict[str, Any]) -> Iterator[None]:
        voxels = np.load(self._files.output, allow_pickle=False)
        yield
        self.node = checkerboard.findOrMake(self.fixed, self.moving)
        setVoxels(self.node, voxels, like=self.fixed)
        for name, value in self._state.items():
            self.node.SetAttribute(name, value)
