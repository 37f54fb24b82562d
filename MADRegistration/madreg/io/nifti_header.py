"""The header of a NIfTI file (nifti1.h, nifti2.h), and what is impossible in it."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np

from .unreadable import DAMAGED, UnreadableError

NO_SPACING = "has no voxel size in its header (pixdim is not a positive number): export it again, or correct the header"
TYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
"""Scalar data types, as numpy calls them."""

OTHER_TYPES = {1: 1, 32: 64, 128: 24, 1536: 128, 1792: 128, 2048: 256, 2304: 32}
"""Bits of the types that are no plain scalars: bitmap, complex, colour, 128-bit floats."""

MAGIC_1, MAGIC_2 = (b"n+1\0", b"ni1\0"), (b"n+2\0", b"ni2\0")
"""Of NIfTI-1 and NIfTI-2: of one file, and of the header of a pair."""

MM = {1: 1000.0, 2: 1.0, 3: 0.001}
"""Millimeters of the units of length of xyzt_units; others count as millimeters, as in ITK."""

EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class NiftiFields:
    """What matters of a NIfTI-1 or NIfTI-2 header.

    ``order`` is ``<`` or ``>``; matrices are 4x4 RAS mm or None; ``paired``: the voxels lie in a file of their own.
    """

    order: str
    dims: tuple[int, ...]
    kind: int
    bits: int
    pixdim: tuple[float, ...]
    offset: float
    slope: float
    intercept: float
    qform: np.ndarray | None
    sform: np.ndarray | None
    length: int
    paired: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along i, j, k and further axes."""
        return self.dims[1 : self.dims[0] + 1]

    @property
    def start(self) -> int:
        """Where the voxels begin; an offset within the header means directly behind it, as in the NIfTI library."""
        return int(self.offset) if self.paired else max(int(self.offset), self.length)

    @property
    def rescaled(self) -> bool:
        """Whether slope and intercept change anything."""
        return abs(self.slope - 1) > EPSILON or abs(self.intercept) > EPSILON


def nifti_fields(start: bytes) -> NiftiFields | None:
    """The header at the start of a file; None if there is none."""
    for order in "<>":
        if len(start) >= 348 and struct.unpack_from(order + "i", start)[0] == 348 and start[344:348] in MAGIC_1:
            dims = struct.unpack_from(order + "8h", start, 40)
            kind, bits = struct.unpack_from(order + "2h", start, 70)
            pixdim = struct.unpack_from(order + "8f", start, 76)
            offset, slope, intercept = struct.unpack_from(order + "3f", start, 108)
            codes = struct.unpack_from(order + "2h", start, 252)
            quaternion = struct.unpack_from(order + "6f", start, 256)
            rows = struct.unpack_from(order + "12f", start, 280)
            units = start[123]
            length = 348
        elif len(start) >= 540 and struct.unpack_from(order + "i", start)[0] == 540 and start[4:8] in MAGIC_2:
            kind, bits = struct.unpack_from(order + "2h", start, 12)
            dims = struct.unpack_from(order + "8q", start, 16)
            pixdim = struct.unpack_from(order + "8d", start, 104)
            offset = struct.unpack_from(order + "q", start, 168)[0]
            slope, intercept = struct.unpack_from(order + "2d", start, 176)
            codes = struct.unpack_from(order + "2i", start, 344)
            quaternion = struct.unpack_from(order + "6d", start, 352)
            rows = struct.unpack_from(order + "12d", start, 400)
            units = struct.unpack_from(order + "i", start, 500)[0]
            length = 540
        else:
            continue
        to_mm = np.array([[MM.get(units & 7, 1.0)]] * 3 + [[1.0]])
        sform = to_mm * np.vstack([np.reshape(rows, (3, 4)), [0, 0, 0, 1]])
        return NiftiFields(
            order,
            dims,
            kind,
            bits,
            pixdim,
            offset,
            slope if math.isfinite(slope) and abs(slope) > EPSILON else 1.0,  # 0 stands for 1, as in ITK
            intercept if math.isfinite(intercept) else 0.0,
            to_mm * _quaternion_matrix(quaternion, pixdim) if codes[0] > 0 else None,
            sform if codes[1] > 0 else None,
            length,
            start[344:348] == MAGIC_1[1] if length == 348 else start[4:8] == MAGIC_2[1],
        )
    return None


def _quaternion_matrix(quaternion: tuple[float, ...], pixdim: tuple[float, ...]) -> np.ndarray:
    """4x4 matrix, index to RAS in the units of the file, of a qform (nifti1.h, method 2)."""
    b, c, d, *offset = quaternion
    a = math.sqrt(max(1 - b * b - c * c - d * d, 0)) if all(map(math.isfinite, quaternion)) else math.nan
    rotation = [
        [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
        [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
        [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ]
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(rotation) * pixdim[1:4] * [1, 1, -1 if pixdim[0] < 0 else 1]
    matrix[:3, 3] = offset
    return matrix


def check_fields(fields: NiftiFields) -> None:
    """Refuse a header that contradicts itself."""
    if not 1 <= fields.dims[0] <= 7 or min(fields.shape) < 1:
        raise UnreadableError(DAMAGED)
    bits = {**{kind: 8 * np.dtype(name).itemsize for kind, name in TYPES.items()}, **OTHER_TYPES}.get(fields.kind)
    if bits is None or bits != fields.bits:
        raise UnreadableError(
            f"has a header that contradicts itself (datatype {fields.kind} with {fields.bits} bits): export it again"
        )
    if not math.isfinite(fields.offset) or not 0 <= fields.offset < 2**40:
        raise UnreadableError(f"has voxels at an impossible place in the file ({fields.offset:g}): export it again")
    if not all(math.isfinite(s) and s > 0 for s in fields.pixdim[1 : 1 + min(len(fields.shape), 3)]):
        raise UnreadableError(NO_SPACING)
    for name, matrix in (("qform", fields.qform), ("sform", fields.sform)):
        if matrix is not None and not np.isfinite(matrix).all():
            raise UnreadableError(f"has a {name} that holds no numbers: export it again, or correct the header")


def version_1(fields: NiftiFields, start: bytes) -> bytes:
    """The header as one of NIfTI-1 in one file, the only kind that all builds of ITK know; large sizes are cut."""
    if fields.length == 348:
        return start[:344] + MAGIC_1[0]
    order = fields.order
    content = bytearray(348)
    codes = struct.unpack_from(order + "2i", start, 344)
    struct.pack_into(order + "i", content, 0, 348)
    struct.pack_into(order + "8h", content, 40, *(min(n, 32767) for n in fields.dims))
    struct.pack_into(order + "2h", content, 70, fields.kind, fields.bits)
    struct.pack_into(order + "8f", content, 76, *fields.pixdim)
    struct.pack_into(order + "3f", content, 108, 352, fields.slope, fields.intercept)
    content[123] = start[500] & 0xFF  # units
    struct.pack_into(order + "2h", content, 252, *codes)
    struct.pack_into(order + "6f", content, 256, *struct.unpack_from(order + "6d", start, 352))
    struct.pack_into(order + "12f", content, 280, *struct.unpack_from(order + "12d", start, 400))
    content[344:348] = MAGIC_1[0]
    return bytes(content)
