"""The edges of a volume as another volume, which moves with it and is laid over the slice views."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import slicer

from madreg.errors import InputError

from . import made, overlay, tint, volumes
from .client import WorkerClient
from .hierarchy import setParent
from .job import SceneJob
from .voxels import setVoxels

KIND = "edges"
OF = "MADRegistrationEdgesOf"
"""Node reference to the volume."""

MOST_VOXELS = 8_000_000
"""Of more, only every second or third is looked at: lines on a screen need no more."""

SHOWN_FROM = 213
"""Edges are 255 on at most 171; between two voxels the display interpolates."""


def find(volume: slicer.vtkMRMLScalarVolumeNode | None) -> slicer.vtkMRMLScalarVolumeNode | None:
    """The edges of a volume, if they have been made."""
    if volume is None:
        return None
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return next((node for node in nodes if node.GetNodeReference(OF) is volume), None)


def follow(volume: slicer.vtkMRMLScalarVolumeNode | None) -> None:
    """Put the edges where the volume is."""
    node = find(volume)
    if node is not None and volume.GetScene() is not None:
        setParent(node, volume.GetTransformNodeID())


def show(node: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Lay them over what the slice views show."""
    overlay.show(node, 1.0)


class SceneEdges(SceneJob):
    """Makes them.

    Attributes:
        node: for ``done``, the volume of the edges, under the parent transforms of ``moving``.
    """

    def __init__(self, client: WorkerClient, moving: slicer.vtkMRMLScalarVolumeNode, **options: Any) -> None:
        super().__init__(client, moving, moving, **options)
        self.node: slicer.vtkMRMLScalarVolumeNode | None = None

    def _prepare(self) -> None:
        reason = volumes.whyNotVolume(self.moving)
        if reason:
            raise InputError(reason)
        size = np.prod(self.moving.GetImageData().GetDimensions())
        self._step = int(np.ceil((size / MOST_VOXELS) ** (1 / 3)))

    def _command(self) -> Iterator[None]:
        image = volumes.imageOfVolume(self.moving).every(self._step)
        description = {"name": image.name, "mask": None, **(yield from self._writeImage(image, "moving"))}
        output = str(self._outputPath)
        return {"command": "compare", "kind": KIND, "fixed": description, "moving": description, "output": output}

    def _finish(self, event: dict[str, Any]) -> Iterator[None]:
        voxels = np.load(self._outputPath, allow_pickle=False)
        yield
        self.node = find(self.moving) or self._make()
        grid = volumes.ijkToRas(self.moving) @ np.diag([self._step, self._step, self._step, 1.0])
        setVoxels(self.node, voxels, like=self.moving, ijkToRas=grid)

    def _make(self) -> slicer.vtkMRMLScalarVolumeNode:
        scene = self.moving.GetScene()
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", f"{self.moving.GetName()} edges (MAD)")
        made.mark(node, KIND)
        node.SetNodeReferenceID(OF, self.moving.GetID())
        display = scene.AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
        display.SetAndObserveColorNodeID(tint.ramp("Blue", tint.BLUE).GetID())
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(0, SHOWN_FROM)
        display.SetThreshold(SHOWN_FROM, 255)
        display.SetApplyThreshold(True)
        node.SetAndObserveDisplayNodeID(display.GetID())
        return node
