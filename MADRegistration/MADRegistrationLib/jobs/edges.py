"""Finding the edges of a volume; see :mod:`views.edges`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import slicer

from madreg.errors import InputError

from ..scene import volumes
from ..scene.voxels import setVoxels
from ..views import edges
from ..worker.client import WorkerClient
from .job import SceneJob

MOST_VOXELS = 8_000_000
"""Of more, only every second or third is looked at: lines on a screen need no more."""

LINE_MM = 1.0
"""Coarser voxels are divided, as far as :data:`MOST_VOXELS` allows: a line is as thick as a voxel."""


def partsOf(size: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Into how many a voxel is divided along each axis, so that edges are lines.

    Args:
        size: number of voxels (i, j, k).
        spacing: mm (i, j, k).
    """
    target = LINE_MM
    while True:
        parts = np.maximum(np.rint(spacing / target), 1).astype(int)
        if (size * parts).prod() <= MOST_VOXELS or parts.max() == 1:
            return parts
        target *= 1.25


class SceneEdges(SceneJob):
    """Makes the volume of the edges.

    Attributes:
        node: for ``done``, the volume of the edges, under the parent transforms of ``moving``.
    """

    NAME = "search for edges"

    def __init__(self, client: WorkerClient, moving: slicer.vtkMRMLScalarVolumeNode, **options: Any) -> None:
        super().__init__(client, moving, moving, **options)
        self.node: slicer.vtkMRMLScalarVolumeNode | None = None

    @property
    def _needsPlace(self) -> bool:
        return False  # they move with the volume

    def _prepare(self) -> None:
        reason = volumes.whyNotVolume(self.moving)
        if reason:
            raise InputError(reason)
        self._state = edges.stateOf(self.moving)
        size = np.array(self.moving.GetImageData().GetDimensions())
        self._step = int(np.ceil((size.prod() / MOST_VOXELS) ** (1 / 3)))
        self._parts = partsOf(size, np.array(self.moving.GetSpacing())) if self._step == 1 else np.ones(3, int)

    def _command(self) -> Iterator[None]:
        image = volumes.imageOfVolume(self.moving).every(self._step)
        moving = {"mask": None, **(yield from self._files.writeImage(image, "moving"))}
        fine = np.zeros(((np.array(image.array.shape)[::-1] - 1) * self._parts + 1)[::-1], np.uint8)
        grid = replace(image, array=fine, matrix=image.matrix @ self._finer)
        fixed = {"mask": None, **(yield from self._files.writeImage(grid, "fixed"))}
        output = str(self._files.output)
        return {"command": "compare", "kind": edges.KIND, "fixed": fixed, "moving": moving, "output": output}

    @property
    def _finer(self) -> np.ndarray:
        """4x4, voxel indices of the edges to those of the image that was written."""
        return np.diag([*1 / self._parts, 1.0])

    def _finish(self, event: dict[str, Any]) -> Iterator[None]:
        voxels = np.load(self._files.output, allow_pickle=False)
        yield
        self.node = edges.made(self.moving) or edges.make(self.moving)
        grid = volumes.ijkToRas(self.moving) @ np.diag([self._step, self._step, self._step, 1.0]) @ self._finer
        setVoxels(self.node, voxels, like=self.moving, ijkToRas=grid)
        for name, value in self._state.items():
            self.node.SetAttribute(name, value)
