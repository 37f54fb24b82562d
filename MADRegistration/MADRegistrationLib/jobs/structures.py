"""The structures of the fixed volume on their way to the worker; their errors are in :mod:`structuretable`.

Where segments overlap, the last one counts.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import slicer

from madreg.errors import InputError

from ..scene import masks
from .jobfiles import JobFiles


def describe(files: JobFiles, node: slicer.vtkMRMLNode | None, motion: np.ndarray) -> Iterator[None]:
    """Write the structures of a segmentation or a label map, a piece at a time; returns their description for the
    worker, or None if there is no node.

    Args:
        motion: 4x4, LPS mm of the world to the LPS mm that the description is in.

    Raises:
        InputError: if there are none, or they lie under a non-linear transform.
        OSError: if there is no space.
    """
    if node is None:
        return None
    image = masks.labelsOf(node)
    if image is None:
        raise InputError(f'"{node.GetName()}" has no structures: choose another segmentation, or none.')
    yield
    description = yield from files.writeImage(image.moved(motion), "structures")
    return {**description, "names": _namesOf(node)}


def _namesOf(node: slicer.vtkMRMLNode) -> dict[str, str]:
    """Names of the segments by their number, which follows their order; labels of a label map have none."""
    if not node.IsA("vtkMRMLSegmentationNode"):
        return {}
    segmentation = node.GetSegmentation()
    count = segmentation.GetNumberOfSegments()
    return {str(n + 1): segmentation.GetNthSegment(n).GetName() for n in range(count)}
