"""Faults of NIfTI files that ITK passes over: it makes up missing voxels, takes 1 mm for a spacing of zero, and reads
0 where a voxel is no number."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_DAMAGED = "is damaged or incomplete: copy or download it again"
_NO_SPACING = "has no voxel size in its header (pixdim is 0 or not a number): export it again, or correct the header"
_FLOATS = {16: "f4", 64: "f8"}  # NIfTI's data types that can hold NaN, as numpy calls them


@dataclass(frozen=True)
class _Header:
    """What matters of a NIfTI-1 or NIfTI-2 header (nifti1.h, nifti2.h); ``order`` is ``<`` or ``>``."""

    order: str
    dims: tuple[int, ...]
    kind: int
    bits: int
    spacing: tuple[float, ...]
    offset: int

    @property
    def count(self) -> int:
        """Number of voxels."""
        return math.prod(max(n, 1) for n in self.dims[1 : self.dims[0] + 1])


def _header(start: bytes) -> _Header | None:
    if len(start) < 348:
        return None
    for order in "<>":
        size = struct.unpack_from(order + "i", start)[0]
        if size == 348:
            return _Header(
                order,
                struct.unpack_from(order + "8h", start, 40),
                *struct.unpack_from(order + "2h", start, 70),
                struct.unpack_from(order + "3f", start, 80),
                int(struct.unpack_from(order + "f", start, 108)[0]),
            )
        if size == 540 and len(start) >= 540:
            return _Header(
                order,
                struct.unpack_from(order + "8q", start, 16),
                *struct.unpack_from(order + "2h", start, 12),
                struct.unpack_from(order + "3d", start, 112),
                struct.unpack_from(order + "q", start, 168)[0],
            )
    return None


def is_nifti(path: Path) -> bool:
    """Whether a file is called ``.nii`` or ``.nii.gz``."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def examine(path: Path) -> tuple[str | None, np.ndarray | None]:
    """What ITK would not say of a NIfTI file; of other files nothing.

    Returns:
        What is wrong with it, put to follow its name, or None if it can be read; and bool (k, j, i), which voxels are
        NaN or infinite, or None if there are none or it does not hold one 3D volume.
    """
    if not is_nifti(path):
        return None, None
    try:
        data = path.read_bytes()
        # in one piece: block by block the threads of a busy process hand over to each other at every block
        data = gzip.decompress(data) if path.name.lower().endswith(".gz") else data
    except (EOFError, OSError, zlib.error):  # cut off, or the check sum does not fit
        return _DAMAGED, None
    header = _header(data)
    if header is None:
        return _DAMAGED, None
    if not all(math.isfinite(s) and s != 0 for s in header.spacing[: max(header.dims[0], 1)]):
        return _NO_SPACING, None
    if len(data) < header.offset + header.count * header.bits // 8:
        return _DAMAGED, None
    return None, _gaps(header, data)


def _gaps(header: _Header, data: bytes) -> np.ndarray | None:
    if header.kind not in _FLOATS or header.count != math.prod(header.dims[1:4]):
        return None
    values = np.frombuffer(data, header.order + _FLOATS[header.kind], header.count, header.offset)
    gaps = ~np.isfinite(values)
    return gaps.reshape(header.dims[3:0:-1]) if gaps.any() else None
