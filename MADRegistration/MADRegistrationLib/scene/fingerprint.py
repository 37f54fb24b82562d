"""Whether a volume still has the voxels that it had once, also after the scene was saved and loaded."""

from __future__ import annotations

import zlib

import slicer
from vtk.util.numpy_support import vtk_to_numpy

MOST_KNOWN = 64
_known: dict[tuple[str, int], str] = {}
"""Fingerprints by the image data's address and modification time, which VTK gives only once."""


def fingerprintOf(node: slicer.vtkMRMLVolumeNode) -> str:
    """Size, type and CRC-32 of the voxels; empty if there are none.  It takes 13 ms for 256 x 256 x 180 voxels of 32
    bit on one core."""
    image = node.GetImageData()
    scalars = None if image is None else image.GetPointData().GetScalars()
    if scalars is None:
        return ""
    voxels = vtk_to_numpy(scalars)
    return f"{'x'.join(map(str, image.GetDimensions()))} {voxels.dtype} {zlib.crc32(voxels):08x}"


def knownFingerprintOf(node: slicer.vtkMRMLVolumeNode) -> str:
    """The same, computed again only if the voxels are said to be modified."""
    image = node.GetImageData()
    if image is None:
        return ""
    key = image.GetAddressAsString(""), image.GetMTime()
    if key not in _known:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[key] = fingerprintOf(node)
    return _known[key]
