"""Which mask belongs to which volume where many are registered: decided by name."""

from __future__ import annotations

import re

import slicer

from madreg.errors import InputError


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
