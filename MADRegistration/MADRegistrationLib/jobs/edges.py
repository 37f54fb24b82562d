"""The edges of a volume as another volume, which moves with it and is laid over the slice views."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import slicer

from madreg.errors import InputError

from ..scene import ownnodes, volumes
from ..scene.transforms import setParent
from ..scene.voxels import setVoxels
from ..views import colors, overlay
from ..worker.client import WorkerClient
from .job import SceneJob

KIND = "edges"
OF = "MADRegistrationEdgesOf"
"""Node reference to the volume."""

MOST_VOXELS = 8_000_000
"""Of more, only every second or third is looked at: lines on a screen need no more."""

LINE_MM = 1.0
"""Coarser voxels are divided, as far as :data:`MOST_VOXELS` allows: a line is as thick as a voxel."""

SHOWN_FROM = 128
"""Edges are 255 on 0, and between two voxels the display interpolates: the line is as thick as a voxel."""


def find(volume: slicer.vtkMRMLScalarVolumeNode | None) -> slicer.vtkMRMLScalarVolumeNode | None:
    """The edges of a volume, if they have been made."""
    if volume is None:
        return None
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return next((node for node in nodes if node.GetNodeReference(OF) is volume and not ownnodes.isTheUsers(node)), None)


def follow(volume: slicer.vtkMRMLScalarVolumeNode | None) -> None:
    """Put the edges where the volume is."""
    node = find(volume)
    if node is not None and volume.GetScene() is not None:
        setParent(node, volume.GetTransformNodeID())


class Follower:
    """Puts the edges where the volume is, whenever it is another volume or under another transform."""

    def __init__(self) -> None:
        self._place: tuple[str, str | None] | None = None

    def follow(self, volume: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        """To be called often: it looks through the scene only if something has changed."""
        place = None if volume is None else (volume.GetID(), volume.GetTransformNodeID())
        if place != self._place:
            self._place = place
            follow(volume)


def show(node: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Lay them over what the slice views show."""
    overlay.show(node, 1.0)


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
    """Makes them.

    Attributes:
        node: for ``done``, the volume of the edges, under the parent transforms of ``moving``.
    """

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
        return {"command": "compare", "kind": KIND, "fixed": fixed, "moving": moving, "output": output}

    @property
    def _finer(self) -> np.ndarray:
        """4x4, voxel indices of the edges to those of the image that was written."""
        return np.diag([*1 / self._parts, 1.0])

    def _finish(self, event: dict[str, Any]) -> Iterator[None]:
        voxels = np.load(self._files.output, allow_pickle=False)
        yield
        self.node = find(self.moving) or self._make()
        grid = volumes.ijkToRas(self.moving) @ np.diag([self._step, self._step, self._step, 1.0]) @ self._finer
        setVoxels(self.node, voxels, like=self.moving, ijkToRas=grid)

    def _make(self) -> slicer.vtkMRMLScalarVolumeNode:
        scene = self.moving.GetScene()
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", f"{self.moving.GetName()} edges (MAD)")
        ownnodes.mark(node, KIND)
        node.SetNodeReferenceID(OF, self.moving.GetID())
        display = scene.AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
        display.SetAndObserveColorNodeID(colors.ramp("Blue", colors.BLUE).GetID())
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(0, SHOWN_FROM)
        display.SetThreshold(SHOWN_FROM, 255)
        display.SetApplyThreshold(True)
        node.SetAndObserveDisplayNodeID(display.GetID())
        return node
