"""Masks of volumes: segmentations and label maps, which belong to a volume, lie on it, and become arrays."""

from __future__ import annotations

import re

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from madreg.errors import InputError
from madreg.image.geometry import FLIP_LPS_RAS, apply

from .annotations import isOnSameVoxels
from .attributes import LEFT_BEHIND, references
from .matrices import toArray
from .transforms import ancestors, parentToWorld
from .volumes import Image, imageOfVolume

APART_MM = 0.1
"""So far may a label map lie from the volume whose voxels it has."""

LEAST_INSIDE = 0.5
"""Share of a mask that must lie within its volume."""

SAMPLES = 500_000
"""Voxels that are looked at, so that this takes no time."""

LABELMAP = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()


def ofVolume(volume: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLNode | None:
    """The segmentation or label map that is called like the volume and ``mask`` ("CT mask", "CT-mask", "CT_mask").

    A segmentation drawn on the volume is not enough: it may outline anything.

    Raises:
        InputError: if there are several.
    """
    name = re.compile(re.escape(volume.GetName()) + r"[ _-]?mask", re.IGNORECASE)
    found = [
        node
        for kind in ("vtkMRMLSegmentationNode", "vtkMRMLLabelMapVolumeNode")
        for node in slicer.util.getNodesByClass(kind)
        if name.fullmatch(node.GetName())
    ]
    if len(found) > 1:
        raise InputError(
            f'"{found[0].GetName()}" and "{found[1].GetName()}" could both be the mask of '
            f'"{volume.GetName()}": rename one of them.'
        )
    return found[0] if found else None


def whyNotOn(mask: slicer.vtkMRMLNode, volume: slicer.vtkMRMLScalarVolumeNode) -> str | None:
    """One sentence that says how a mask and its volume have come apart, or None if nothing is known of that."""
    if not _haveComeApart(mask, volume):
        return None
    return (
        f'The mask "{mask.GetName()}" no longer lies on "{volume.GetName()}", which was moved without it: '
        "put it under the same transform, or choose another mask."
    )


def _haveComeApart(mask: slicer.vtkMRMLNode, volume: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """A segmentation may have been drawn on the volume before or after it was moved: only a registration that left it
    behind is certain.  A label map on the voxels of the volume lies on it, or it does not."""
    if mask.IsA("vtkMRMLLabelMapVolumeNode") and isOnSameVoxels(mask, volume):
        image, other = imageOfVolume(volume), imageOfVolume(mask)
        ends = np.array([[0, 0, 0], *np.diag(image.array.shape[::-1])])
        apart = apply(image.matrix, ends) - apply(other.matrix, ends)
        return bool(np.linalg.norm(apart, axis=1).max() > APART_MM)
    above = ancestors(mask)
    return any(mask in references(transform, LEFT_BEHIND) for transform in ancestors(volume) if transform not in above)


def checkInside(mask: Image, volume: Image) -> None:
    """Raise InputError if most of a mask lies outside its volume."""
    step = int(np.ceil((mask.array.size / SAMPLES) ** (1 / 3)))
    inside = step * np.argwhere(mask.array[::step, ::step, ::step])
    if len(inside) == 0:  # a small mask on many voxels
        inside = np.argwhere(mask.array)
    index = apply(np.linalg.inv(volume.matrix) @ mask.matrix, inside[:, ::-1])
    size = np.array(volume.array.shape[::-1])
    share = np.mean(np.all((index > -1) & (index < size), axis=1))
    if share < LEAST_INSIDE:
        raise InputError(
            f'The mask "{mask.name}" does not lie on "{volume.name}" ({100 * share:.0f} % of it is inside): '
            "move it there, or choose another mask."
        )


def imageOf(node: slicer.vtkMRMLNode) -> Image:
    """All segments of a segmentation, or all labels of a label map, as one array of 0 and not 0, on its own grid.

    Raises:
        InputError: if the mask is empty, has no voxels, or lies under a non-linear transform.
    """
    image = labelsOf(node)
    if image is None:
        raise InputError(f'The mask "{node.GetName()}" is empty: paint the region to register, or choose no mask.')
    return image


def labelsOf(node: slicer.vtkMRMLNode) -> Image | None:
    """The segments of a segmentation, or the labels of a label map, on its own grid, not 0 each; None if empty.

    Raises:
        InputError: if it lies under a non-linear transform.
    """
    isSegmentation = node.IsA("vtkMRMLSegmentationNode")
    if not isSegmentation and node.GetImageData() is None:
        return None
    image = _imageOfSegmentation(node) if isSegmentation else imageOfVolume(node)
    return image if image.array.size and image.array.any() else None


def _imageOfSegmentation(node: slicer.vtkMRMLSegmentationNode) -> Image:
    voxels = slicer.vtkOrientedImageData()
    filled = withVoxels(node).GenerateMergedLabelmapForAllSegments(
        voxels, slicer.vtkSegmentation.EXTENT_UNION_OF_EFFECTIVE_SEGMENTS
    )
    return imageOfVoxels(node, voxels if filled else None)


def withVoxels(node: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLSegmentationNode:
    """A segmentation, or where it was drawn as surfaces only, a converted copy, so that the user's stays as it is."""
    segmentation = node.GetSegmentation()
    if not segmentation.GetNumberOfSegments() or segmentation.ContainsRepresentation(LABELMAP):
        return node
    copy = slicer.vtkMRMLSegmentationNode()
    copy.GetSegmentation().DeepCopy(segmentation)
    copy.GetSegmentation().CreateRepresentation(LABELMAP)
    return copy


def imageOfVoxels(node: slicer.vtkMRMLSegmentationNode, voxels: slicer.vtkOrientedImageData | None) -> Image:
    """Voxels of a segmentation as an image in the world, without any if there are none."""
    if voxels is None or voxels.GetPointData().GetScalars() is None or 0 in voxels.GetDimensions():
        return Image(node.GetName(), np.zeros((0, 0, 0), np.uint8), np.eye(4))
    matrix = vtk.vtkMatrix4x4()
    voxels.GetImageToWorldMatrix(matrix)
    # the array's first voxel is the corner of the extent, which need not be index 0
    corner = np.eye(4)
    corner[:3, 3] = voxels.GetExtent()[::2]
    shape = voxels.GetDimensions()[::-1]
    array = vtk_to_numpy(voxels.GetPointData().GetScalars()).reshape(shape).copy()
    return Image(node.GetName(), array, FLIP_LPS_RAS @ parentToWorld(node) @ toArray(matrix) @ corner)
