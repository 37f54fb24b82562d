"""New voxels for a volume node, and what it showed before."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from .fingerprint import fingerprintOf
from .matrices import toMatrix
from .transforms import setParent


def setVoxels(
    node: slicer.vtkMRMLScalarVolumeNode,
    array: np.ndarray,
    like: slicer.vtkMRMLScalarVolumeNode,
    ijkToRas: np.ndarray | None = None,
) -> None:
    """Give a volume node new voxels (k, j, i) that lie where those of ``like`` do, parent transforms included.

    Args:
        ijkToRas: 4x4, of another grid under the same parent transforms.
    """
    scalars = numpy_to_vtk(array.ravel(), deep=True)
    voxels = vtk.vtkImageData()
    voxels.SetDimensions(array.shape[::-1])
    voxels.GetPointData().SetScalars(scalars)
    matrix = vtk.vtkMatrix4x4() if ijkToRas is None else toMatrix(ijkToRas)
    if ijkToRas is None:
        like.GetIJKToRASMatrix(matrix)
    node.SetIJKToRASMatrix(matrix)
    node.SetAndObserveTransformNodeID(like.GetTransformNodeID())
    node.SetAndObserveImageData(voxels)


def setDisplay(node: slicer.vtkMRMLScalarVolumeNode, like: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Show a volume with the colours, window and level of another, unless it has a display of its own."""
    if node.GetDisplayNode() is not None:
        return
    if like.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
        return
    display = node.GetScene().AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
    display.CopyContent(like.GetDisplayNode())
    display.SetAutoWindowLevel(False)  # as it is now: finding it out again would take a while
    node.SetAndObserveDisplayNodeID(display.GetID())


class VoxelsBefore:
    """What a volume node showed before new voxels were written to it.

    Attributes:
        written: fingerprint of these, once :meth:`noteWritten` was called.
    """

    def __init__(self, node: slicer.vtkMRMLScalarVolumeNode) -> None:
        self.node, self.voxels, self.parentId = node, node.GetImageData(), node.GetTransformNodeID()
        self.hadDisplay = node.GetDisplayNode() is not None
        self.matrix = vtk.vtkMatrix4x4()
        node.GetIJKToRASMatrix(self.matrix)
        self.written: str | None = None

    def noteWritten(self) -> None:
        """The new voxels are there."""
        self.written = fingerprintOf(self.node)

    @property
    def isEdited(self) -> bool:
        """Whether the node has other voxels by now than those that were written."""
        return (
            self.written is not None and self.node.GetScene() is not None and self.written != fingerprintOf(self.node)
        )

    def restore(self) -> bool:
        """Show it again and return True; return False, and leave all, if the node has been given other voxels since."""
        if self.isEdited:
            return False
        if self.node.GetScene() is None:
            return True
        if not self.hadDisplay and self.node.GetDisplayNode() is not None:
            self.node.GetScene().RemoveNode(self.node.GetDisplayNode())
        self.node.SetAndObserveImageData(self.voxels)
        self.node.SetIJKToRASMatrix(self.matrix)
        setParent(self.node, self.parentId)
        return True
