"""The moving volume on the grid of the fixed one, in a node that the user has chosen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import slicer

from ..scene.attributes import ATTRIBUTE_PREFIX, RESAMPLED
from ..scene.voxels import VoxelsBefore, setDisplay, setVoxels

WAS_EMPTY = ATTRIBUTE_PREFIX + "ResampledWasEmpty"
VOXELS = ATTRIBUTE_PREFIX + "ResampledVoxels"
"""Attributes of the transform: whether the node had no voxels before, and the fingerprint of those written."""

NotAsBefore = tuple[slicer.vtkMRMLScalarVolumeNode | None, slicer.vtkMRMLScalarVolumeNode | None]
"""What Revert leaves: a volume whose former voxels are lost, and one that has been given other voxels since."""


class ResampledVolume:
    """The voxels of the node, and what it showed before."""

    def __init__(self, node: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        self._node, self._former = node, None

    @property
    def isDeleted(self) -> bool:
        """Whether the node has left the scene."""
        return self._node.GetScene() is None

    def write(
        self,
        voxels: np.ndarray,
        fixed: slicer.vtkMRMLScalarVolumeNode,
        moving: slicer.vtkMRMLScalarVolumeNode,
        transform: slicer.vtkMRMLLinearTransformNode,
    ) -> Iterator[None]:
        """Write voxels (k, j, i) on the grid of the fixed volume, a piece at a time, and note it on the transform."""
        self._former = VoxelsBefore(self._node)
        setVoxels(self._node, voxels, like=fixed)
        self._former.noteWritten()
        sign(transform, self._former)
        yield
        setDisplay(self._node, like=moving)

    def restore(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """Show what was there before; returns the node if it has been given other voxels since, which stay."""
        former, self._former = self._former, None
        return None if former is None or former.restore() else self._node


def sign(transform: slicer.vtkMRMLLinearTransformNode, former: VoxelsBefore | None) -> None:
    """Note on the transform which volume was resampled, its voxels, and whether it had any before, which are lost."""
    transform.SetNodeReferenceID(RESAMPLED, None if former is None else former.node.GetID())
    transform.SetAttribute(WAS_EMPTY, None if former is None else str(former.voxels is None))
    transform.SetAttribute(VOXELS, None if former is None else former.written)
