"""Faults of NIfTI files that ITK passes over: it makes up missing voxels, and takes 1 mm for a spacing of zero."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

_BLOCK = 1 << 20
_DAMAGED = "is damaged or incomplete: copy or download it again"
_NO_SPACING = "has no voxel size in its header (pixdim is 0 or not a number): export it again, or correct the header"


def find_fault(path: Path) -> str | None:
    """What is wrong with a ``.nii`` or ``.nii.gz`` file, put to follow its name; None if nothing is.

    Offsets are those of the NIfTI-1 and NIfTI-2 headers (nifti1.h, nifti2.h).
    """
    name = path.name.lower()
    if not name.endswith((".nii", ".nii.gz")):
        return None
    try:
        with (gzip.open if name.endswith(".gz") else open)(path, "rb") as file:
            return _fault(file)
    except (EOFError, OSError, zlib.error):  # cut off, or the check sum does not fit
        return _DAMAGED


def _fault(file: BinaryIO) -> str | None:
    header = file.read(544)
    if len(header) < 348:
        return _DAMAGED
    for order in "<>":
        size = struct.unpack_from(order + "i", header)[0]
        if size == 348:
            dims, bits = struct.unpack_from(order + "8h", header, 40), struct.unpack_from(order + "h", header, 72)[0]
            spacing = struct.unpack_from(order + "3f", header, 80)
            offset = struct.unpack_from(order + "f", header, 108)[0]
            break
        if size == 540 and len(header) >= 540:
            bits, dims = struct.unpack_from(order + "h", header, 14)[0], struct.unpack_from(order + "8q", header, 16)
            spacing = struct.unpack_from(order + "3d", header, 112)
            offset = struct.unpack_from(order + "q", header, 168)[0]
            break
    else:
        return _DAMAGED
    if not all(math.isfinite(s) and s != 0 for s in spacing[: max(dims[0], 1)]):
        return _NO_SPACING
    needed = int(offset) + math.prod(max(n, 1) for n in dims[1 : dims[0] + 1]) * bits // 8
    count = len(header)
    while block := file.read(_BLOCK):
        count += len(block)
    return None if count >= needed else _DAMAGED
