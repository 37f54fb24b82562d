"""A volume that shows how two volumes fit where they lie now: a checkerboard of both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import slicer

from madreg.errors import InputError

from ..results import resultnode
from ..scene import ownnodes, volumes
from ..scene.voxels import setVoxels
from ..views import sliceviews
from ..worker.client import WorkerClient
from .job import SceneJob

KIND = "checkerboard"
NAME = "Checkerboard of {moving} and {fixed}"

OF = "MADRegistrationComparisonOf"
"""Node reference to the fixed volume."""


def isShown(fixed: slicer.vtkMRMLNode) -> bool:
    """Whether a slice view shows a checkerboard with this fixed volume, on whose grid it lies."""
    shown = [slicer.mrmlScene.GetNodeByID(view.GetBackgroundVolumeID() or "") for view in sliceviews.compositeNodes()]
    return any(node is not None and node.GetNodeReference(OF) is fixed for node in shown)


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

    def _command(self) -> Iterator[None]:
        return {
            "command": "compare",
            "kind": KIND,
            "fixed": (yield from self._files.write(self.fixed, "fixed")),
            "moving": (yield from self._files.write(self.moving, "moving")),
            "output": str(self._files.output),
        }

    def _finish(self, event: dict[str, Any]) -> Iterator[None]:
        voxels = np.load(self._files.output, allow_pickle=False)
        yield
        scene = self.fixed.GetScene()
        name = NAME.format(fixed=self.fixed.GetName(), moving=self.moving.GetName())
        former = resultnode.marked("vtkMRMLScalarVolumeNode", KIND)  # not a volume of the user's that is called so
        self.node = next((node for node in former if node.GetName() == name), None)
        if self.node is None:
            self.node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
            display = scene.AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
            display.SetDefaultColorMap()
            display.SetAutoWindowLevel(False)
            display.SetWindowLevel(255, 127.5)
            self.node.SetAndObserveDisplayNodeID(display.GetID())
        ownnodes.mark(self.node, KIND)
        self.node.SetNodeReferenceID(OF, self.fixed.GetID())
        setVoxels(self.node, voxels, like=self.fixed)
