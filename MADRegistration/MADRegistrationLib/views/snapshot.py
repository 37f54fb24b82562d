"""All that the views show at some time, so that Revert can bring it back: volumes, positions, layout, crosshair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer

from ..scene.matrices import toArray, toMatrix
from .layout import layoutNode
from .sliceviews import compositeNodes, sliceNodes


@dataclass(frozen=True)
class _Layers:
    """What one slice view shows."""

    node: slicer.vtkMRMLSliceCompositeNode
    volumes: tuple[str | None, str | None, str | None]
    opacities: tuple[float, float]

    @classmethod
    def of(cls, node: slicer.vtkMRMLSliceCompositeNode) -> _Layers:
        return cls(
            node,
            (node.GetBackgroundVolumeID(), node.GetForegroundVolumeID(), node.GetLabelVolumeID()),
            (node.GetForegroundOpacity(), node.GetLabelOpacity()),
        )

    def restore(self) -> None:
        background, foreground, label = (_present(one) for one in self.volumes)
        self.node.SetBackgroundVolumeID(background)
        self.node.SetForegroundVolumeID(foreground)
        self.node.SetLabelVolumeID(label)
        self.node.SetForegroundOpacity(self.opacities[0])
        self.node.SetLabelOpacity(self.opacities[1])


@dataclass(frozen=True)
class _Position:
    """Where one slice view is."""

    node: slicer.vtkMRMLSliceNode
    sliceToRas: np.ndarray
    fieldOfView: tuple[float, ...]
    origin: tuple[float, ...]

    @classmethod
    def of(cls, node: slicer.vtkMRMLSliceNode) -> _Position:
        return cls(node, toArray(node.GetSliceToRAS()), tuple(node.GetFieldOfView()), tuple(node.GetXYZOrigin()))

    def restore(self) -> None:
        self.node.GetSliceToRAS().DeepCopy(toMatrix(self.sliceToRas))
        self.node.SetXYZOrigin(*self.origin)
        self.node.SetFieldOfView(*self.fieldOfView)
        self.node.UpdateMatrices()


class Snapshot:
    """What the views show when it is made."""

    def __init__(self) -> None:
        self._parts = [_Layers.of(node) for node in compositeNodes()] + [_Position.of(node) for node in sliceNodes()]
        self._layout = layoutNode()
        self._arrangement = None if self._layout is None else self._layout.GetViewArrangement()
        self._crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        self._crosshairMode = None if self._crosshair is None else self._crosshair.GetCrosshairMode()

    def restore(self) -> None:
        """Show it again; volumes and views that are gone are left out."""
        isThere = self._layout is not None and self._layout.GetScene() is not None
        if isThere and self._layout.GetViewArrangement() != self._arrangement:
            self._layout.SetViewArrangement(self._arrangement)
        if self._crosshair is not None and self._crosshair.GetScene() is not None:
            self._crosshair.SetCrosshairMode(self._crosshairMode)
        for part in self._parts:
            if part.node.GetScene() is not None:
                part.restore()


def _present(nodeId: str | None) -> str | None:
    return nodeId if nodeId and slicer.mrmlScene.GetNodeByID(nodeId) else None
