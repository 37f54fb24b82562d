"""Volume nodes and masks to plain arrays in the world, for the worker process.

The world is Slicer's after all parent transforms of the node: ``parent @ IJKToRAS``.  The backend's world is LPS, so
every matrix that leaves here maps an index (i, j, k) to LPS mm; see :mod:`madreg.image.geometry`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from madreg.errors import InputError
from madreg.image.geometry import FLIP_LPS_RAS

CHUNK_BYTES = 16_000_000
"""Written to disk at a time, so that Slicer's interface goes on between two pieces."""


@dataclass(frozen=True)
class Image:
    """Voxels and where they lie.

    Attributes:
        name: of the node.
        array: (k, j, i); a view on the node's own voxels, which must not be changed.
        matrix: 4x4, index (i, j, k) to LPS mm in the world.
    """

    name: str
    array: np.ndarray
    matrix: np.ndarray


def toArray(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """4x4 numpy array of a VTK matrix."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def toMatrix(array: np.ndarray) -> vtk.vtkMatrix4x4:
    """VTK matrix of a 4x4 numpy array."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(array, float).ravel().tolist())
    return matrix


def parentToWorld(node: slicer.vtkMRMLTransformableNode) -> np.ndarray:
    """4x4 RAS matrix of all transforms above a node; the identity if there are none.

    Raises:
        InputError: if one of them is not linear.
    """
    parent = node.GetParentTransformNode()
    if parent is None:
        return np.eye(4)
    if not parent.IsTransformToWorldLinear():
        raise InputError(
            f'"{node.GetName()}" lies under the non-linear transform "{parent.GetName()}": '
            "harden that transform, or take the volume out of it."
        )
    matrix = vtk.vtkMatrix4x4()
    parent.GetMatrixTransformToWorld(matrix)
    return toArray(matrix)


def whyNotVolume(node: slicer.vtkMRMLNode | None) -> str | None:
    """One sentence that says why a node cannot be registered, or None if it can."""
    if node is None:
        return "Choose a volume."
    name = f'"{node.GetName()}"'
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        return f"{name} is a label map, whose numbers are names: choose the scan that it was drawn on."
    if not node.IsA("vtkMRMLScalarVolumeNode"):
        return f"{name} is not a volume: choose a scalar volume."
    image = node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None or 0 in image.GetDimensions():
        return f"{name} has no voxels: load it again, or choose another volume."
    if (
        node.IsA("vtkMRMLTensorVolumeNode")
        or node.IsA("vtkMRMLDiffusionImageVolumeNode")
        or (image.GetNumberOfScalarComponents() != 1)
    ):
        return (
            f"{name} is a vector volume with {image.GetNumberOfScalarComponents()} numbers per voxel: convert it "
            "to a scalar volume first (module Vector to Scalar Volume)."
        )
    try:
        parentToWorld(node)
    except InputError as error:
        return str(error)
    return None


def imageOfVolume(node: slicer.vtkMRMLScalarVolumeNode) -> Image:
    """The voxels of a scalar volume or label map, in the world.

    Raises:
        InputError: if the node lies under a non-linear transform.
    """
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return Image(
        node.GetName(), slicer.util.arrayFromVolume(node), FLIP_LPS_RAS @ parentToWorld(node) @ toArray(matrix)
    )


def imageOfMask(node: slicer.vtkMRMLNode) -> Image:
    """All segments of a segmentation, or all labels of a label map, as one array of 0 and not 0, on its own grid.

    Raises:
        InputError: if the mask is empty, has no voxels, or lies under a non-linear transform.
    """
    empty = InputError(f'The mask "{node.GetName()}" is empty: paint the region to register, or choose no mask.')
    if not node.IsA("vtkMRMLSegmentationNode"):
        if node.GetImageData() is None:
            raise empty
        image = imageOfVolume(node)
    else:
        image = _imageOfSegmentation(node)
    if image.array.size == 0 or not image.array.any():
        raise empty
    return image


def _imageOfSegmentation(node: slicer.vtkMRMLSegmentationNode) -> Image:
    world = parentToWorld(node)
    voxels = slicer.vtkOrientedImageData()
    labelmap = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    source = node
    if node.GetSegmentation().GetNumberOfSegments() and not node.GetSegmentation().ContainsRepresentation(labelmap):
        # drawn as surfaces only: convert a copy, so that the user's segmentation stays as it is
        source = slicer.vtkMRMLSegmentationNode()
        source.GetSegmentation().DeepCopy(node.GetSegmentation())
        source.GetSegmentation().CreateRepresentation(labelmap)
    filled = source.GenerateMergedLabelmapForAllSegments(
        voxels, slicer.vtkSegmentation.EXTENT_UNION_OF_EFFECTIVE_SEGMENTS
    )
    if not filled or voxels.GetPointData().GetScalars() is None or 0 in voxels.GetDimensions():
        return Image(node.GetName(), np.zeros((0, 0, 0), np.uint8), np.eye(4))
    matrix = vtk.vtkMatrix4x4()
    voxels.GetImageToWorldMatrix(matrix)
    # the array's first voxel is the corner of the extent, which need not be index 0
    corner = np.eye(4)
    corner[:3, 3] = voxels.GetExtent()[::2]
    shape = voxels.GetDimensions()[::-1]
    array = vtk_to_numpy(voxels.GetPointData().GetScalars()).reshape(shape).copy()
    return Image(node.GetName(), array, FLIP_LPS_RAS @ world @ toArray(matrix) @ corner)


def write(image: Image, path: Path) -> Iterator[None]:
    """Write the voxels as ``.npy`` without loss, a piece at a time; the file is complete when the iterator ends."""
    array = np.ascontiguousarray(image.array)
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        flat = array.reshape(-1)
        step = max(1, CHUNK_BYTES // array.itemsize)
        for first in range(0, flat.size, step):
            file.write(flat[first : first + step].data)
            yield


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
    """What a volume node showed before new voxels were written to it."""

    def __init__(self, node: slicer.vtkMRMLScalarVolumeNode) -> None:
        self.node, self.voxels, self.parentId = node, node.GetImageData(), node.GetTransformNodeID()
        self.hadDisplay = node.GetDisplayNode() is not None
        self.matrix = vtk.vtkMatrix4x4()
        node.GetIJKToRASMatrix(self.matrix)

    def restore(self) -> None:
        if self.node.GetScene() is None:
            return
        if not self.hadDisplay and self.node.GetDisplayNode() is not None:
            self.node.GetScene().RemoveNode(self.node.GetDisplayNode())
        self.node.SetAndObserveImageData(self.voxels)
        self.node.SetIJKToRASMatrix(self.matrix)
        self.node.SetAndObserveTransformNodeID(self.parentId)
