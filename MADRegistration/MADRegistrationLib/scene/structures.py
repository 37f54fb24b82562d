"""The structures of a segmentation or a label map, as arrays in each of which none overlaps another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import slicer
import vtk

from .masks import LABELMAP, imageOfVoxels, labelsOf, withVoxels
from .volumes import Image


def layersOf(node: slicer.vtkMRMLNode) -> Iterator[None]:
    """Images on one grid, whose numbers are those of :func:`namesOf`, or of a label map its own; none if there is no
    structure.  A generator, which returns them; Slicer's interface goes on between two pieces.

    Radiotherapy structures overlap, as a target and the body around it.

    Raises:
        InputError: if the node lies under a non-linear transform.
    """
    if not node.IsA("vtkMRMLSegmentationNode"):
        labels = labelsOf(node)
        return [] if labels is None else [labels]
    source = withVoxels(node)
    yield
    grid, layers = slicer.vtkOrientedImageData(), []
    if not source.GenerateMergedLabelmapForAllSegments(grid, slicer.vtkSegmentation.EXTENT_UNION_OF_EFFECTIVE_SEGMENTS):
        return []
    segmentation = source.GetSegmentation()
    for number in range(segmentation.GetNumberOfLayers(LABELMAP)):
        yield
        image = _numbered(source, segmentation.GetSegmentIDsForLayer(number, LABELMAP), grid, node)
        for layer in layers:  # those that do not overlap share one: a file for each would take long
            if not np.any((layer.array != 0) & (image.array != 0)):
                np.copyto(layer.array, image.array, where=image.array != 0)
                break
        else:
            layers.append(image)
    return [layer for layer in layers if layer.array.any()]


def namesOf(node: slicer.vtkMRMLNode) -> dict[int, str]:
    """Names of the segments by their number, which follows their order; labels of a label map have none."""
    if not node.IsA("vtkMRMLSegmentationNode"):
        return {}
    segmentation = node.GetSegmentation()
    count = segmentation.GetNumberOfSegments()
    return {n + 1: segmentation.GetNthSegment(n).GetName() for n in range(count)}


def _numbered(
    source: slicer.vtkMRMLSegmentationNode,
    names: tuple[str, ...],
    grid: slicer.vtkOrientedImageData,
    node: slicer.vtkMRMLSegmentationNode,
) -> Image:
    """Some segments, by their identifiers, on a grid, each with its number."""
    voxels, segments, numbers = slicer.vtkOrientedImageData(), vtk.vtkStringArray(), vtk.vtkIntArray()
    for name in names:
        segments.InsertNextValue(name)
        numbers.InsertNextValue(source.GetSegmentation().GetSegmentIndex(name) + 1)
    source.GenerateMergedLabelmapForAllSegments(
        voxels, slicer.vtkSegmentation.EXTENT_UNION_OF_EFFECTIVE_SEGMENTS, grid, segments, numbers
    )
    return imageOfVoxels(node, voxels)
