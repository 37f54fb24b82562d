"""Faults of NIfTI files that ITK passes over: it makes up missing voxels, takes 1 mm for a spacing of zero, and reads
0 where a voxel is no number."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

_BLOCK = 1 << 20
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
            return _Header(order, struct.unpack_from(order + "8h", start, 40),
                           *struct.unpack_from(order + "2h", start, 70), struct.unpack_from(order + "3f", start, 80),
                           int(struct.unpack_from(order + "f", start, 108)[0]))
        if size == 540 and len(start) >= 540:
            return _Header(order, struct.unpack_from(order + "8q", start, 16),
                           *struct.unpack_from(order + "2h", start, 12), struct.unpack_from(order + "3d", start, 112),
                           struct.unpack_from(order + "q", start, 168)[0])
    return None


def _opened(path: Path) -> BinaryIO:
    return (gzip.open if path.name.lower().endswith(".gz") else open)(path, "rb")


def is_nifti(path: Path) -> bool:
    """Whether a file is called ``.nii`` or ``.nii.gz``."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def find_fault(path: Path) -> str | None:
    """What is wrong with a NIfTI file, put to follow its name; None if nothing is, or it is no NIfTI file."""
    if not is_nifti(path):
        return None
    try:
        with _opened(path) as file:
            return _fault(file)
    except (EOFError, OSError, zlib.error):  # cut off, or the check sum does not fit
        return _DAMAGED


def _fault(file: BinaryIO) -> str | None:
    start = file.read(544)
    header = _header(start)
    if header is None:
        return _DAMAGED
    if not all(math.isfinite(s) and s != 0 for s in header.spacing[: max(header.dims[0], 1)]):
        return _NO_SPACING
    needed = header.offset + header.count * header.bits // 8
    count = len(start)
    while block := file.read(_BLOCK):
        count += len(block)
    return None if count >= needed else _DAMAGED


def find_gaps(path: Path) -> np.ndarray | None:
    """Bool (k, j, i): the voxels of a 3D NIfTI file without fault that are NaN or infinite; None if there are none."""
    if not is_nifti(path):
        return None
    with _opened(path) as file:
        start = file.read(544)
        header = _header(start)
        if header is None or header.kind not in _FLOATS or header.count != math.prod(header.dims[1:4]):
            return None
        data = (start + file.read())[header.offset :]
    values = np.frombuffer(data, header.order + _FLOATS[header.kind], header.count)
    gaps = ~np.isfinite(values)
    return gaps.reshape(header.dims[3:0:-1]) if gaps.any() else None
