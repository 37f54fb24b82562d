"""NIfTI files (``.nii``, ``.nii.gz``; nifti1.h, nifti2.h): header first, then exactly what it declares.

ITK decides on the geometry, as in Slicer: where qform and sform differ, its choice counts, and a notice says so.  The
voxels are read here: ITK passes over truncated files, takes 1 mm for a spacing of zero, and reads 0 where a voxel is
no number.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .affine import straightened
from .checks import SHEAR_TOLERANCE, Header, check_header, shear
from .inflating import GZIP_START, Inflater
from .itk_header import image_of, one_line, read_header
from .memory import check_fits
from .unreadable import DAMAGED, UnreadableError

NO_SPACING = "has no voxel size in its header (pixdim is 0 or not a number): export it again, or correct the header"
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

EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class _Fields:
    """What matters of a NIfTI-1 or NIfTI-2 header; ``order`` is ``<`` or ``>``, matrices are 4x4 RAS or None."""

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

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along i, j, k and further axes."""
        return self.dims[1 : self.dims[0] + 1]

    @property
    def start(self) -> int:
        """Where the voxels begin; an offset within the header means directly behind it, as in the NIfTI library."""
        return max(int(self.offset), self.length)

    @property
    def rescaled(self) -> bool:
        """Whether slope and intercept change anything."""
        return abs(self.slope - 1) > EPSILON or abs(self.intercept) > EPSILON


def _fields(start: bytes) -> _Fields | None:
    """The header at the start of a file; None if there is none."""
    for order in "<>":
        if len(start) >= 348 and struct.unpack_from(order + "i", start)[0] == 348 and start[344:348] == b"n+1\0":
            dims = struct.unpack_from(order + "8h", start, 40)
            kind, bits = struct.unpack_from(order + "2h", start, 70)
            pixdim = struct.unpack_from(order + "8f", start, 76)
            offset, slope, intercept = struct.unpack_from(order + "3f", start, 108)
            codes = struct.unpack_from(order + "2h", start, 252)
            quaternion = struct.unpack_from(order + "6f", start, 256)
            rows = struct.unpack_from(order + "12f", start, 280)
            length = 348
        elif len(start) >= 540 and struct.unpack_from(order + "i", start)[0] == 540 and start[4:8] == b"n+2\0":
            kind, bits = struct.unpack_from(order + "2h", start, 12)
            dims = struct.unpack_from(order + "8q", start, 16)
            pixdim = struct.unpack_from(order + "8d", start, 104)
            offset = struct.unpack_from(order + "q", start, 168)[0]
            slope, intercept = struct.unpack_from(order + "2d", start, 176)
            codes = struct.unpack_from(order + "2i", start, 344)
            quaternion = struct.unpack_from(order + "6d", start, 352)
            rows = struct.unpack_from(order + "12d", start, 400)
            length = 540
        else:
            continue
        sform = np.vstack([np.reshape(rows, (3, 4)), [0, 0, 0, 1]])
        return _Fields(
            order,
            dims,
            kind,
            bits,
            pixdim,
            offset,
            slope if math.isfinite(slope) and abs(slope) > EPSILON else 1.0,  # 0 stands for 1, as in ITK
            intercept if math.isfinite(intercept) else 0.0,
            _quaternion_matrix(quaternion, pixdim) if codes[0] > 0 else None,
            sform if codes[1] > 0 else None,
            length,
        )
    return None


def _quaternion_matrix(quaternion: tuple[float, ...], pixdim: tuple[float, ...]) -> np.ndarray:
    """4x4 matrix, index to RAS mm, of a qform (nifti1.h, method 2)."""
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


def _check(fields: _Fields) -> None:
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
    if not all(math.isfinite(s) and s != 0 for s in fields.pixdim[1 : 1 + min(len(fields.shape), 3)]):
        raise UnreadableError(NO_SPACING)
    for name, matrix in (("qform", fields.qform), ("sform", fields.sform)):
        if matrix is not None and not np.isfinite(matrix).all():
            raise UnreadableError(f"has a {name} that holds no numbers: export it again, or correct the header")


def is_nifti(path: Path) -> bool:
    """Whether a file is called ``.nii`` or ``.nii.gz``."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def read_nifti(path: Path, name: str) -> tuple[sitk.Image, list[str]]:
    """Read a NIfTI file whose name ends on ``.nii`` or ``.nii.gz``, compressed or not, whatever its name says.

    Args:
        name: what to call it in messages.

    Returns:
        The image, with NaN where a voxel is no number; and sentences for the user.

    Raises:
        UnreadableError: if it is damaged or cannot be represented.
        InputError: if it is not a 3D scalar image.
    """
    with path.open("rb") as file:
        zipped = file.read(2) == GZIP_START
        file.seek(0)
        stream = Inflater(file.read()) if zipped else file  # type: ignore[assignment]
        start = stream.read(540)
        fields = _fields(start)
        if fields is None:
            raise UnreadableError(
                DAMAGED if len(start) < 348 else "is no NIfTI file, whatever its name says: give it its proper ending"
            )
        _check(fields)
        header, sheared = _header(fields, start)
        check_header(header, name)
        count, kind = math.prod(fields.shape), np.dtype(fields.order + TYPES[fields.kind])
        check_fits(count, kind.itemsize)
        data = start + stream.read(fields.start + count * kind.itemsize - len(start))
        if zipped:
            stream.finish()
    if len(data) < fields.start + count * kind.itemsize:
        raise UnreadableError(DAMAGED)
    array = np.frombuffer(data, kind, count, fields.start).reshape(fields.shape[2::-1])
    array = array.astype(kind.newbyteorder("="), copy=False)
    if fields.rescaled:  # with the types and in the order in which ITK does it
        real = np.float64 if kind.kind == "f" and kind.itemsize == 8 else np.float32
        array = (array.astype(real).astype(np.float64) * fields.slope + fields.intercept).astype(real)
    notices = _disagreement(fields, header, name)
    if sheared is None:
        return image_of(array, header), notices
    image, notice = straightened(array, sheared, name)
    return image, [*notices, notice]


def _header(fields: _Fields, start: bytes) -> tuple[Header, np.ndarray | None]:
    """What ITK makes of the header; and the 4x4 LPS matrix of a sform that ITK does not take because it is sheared."""
    try:
        header = read_header(_version_1(fields, start) + b"\0\0\0\0", ".nii")[0]  # no extensions
        return replace(header, size=fields.shape[: len(header.size)]), None
    except RuntimeError as error:
        if "orthonormal" not in str(error) or fields.sform is None:
            raise UnreadableError(f"cannot be read ({one_line(error)}): export it again") from error
    matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ fields.sform
    if not abs(np.linalg.det(matrix[:3, :3])) > 0:
        raise UnreadableError("has axes that lie in one plane: correct the sform in its header")
    if fields.kind not in TYPES:
        raise UnreadableError("has more than one number per voxel: give a scalar volume")
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    further = len(fields.shape) - 3
    direction = np.eye(len(fields.shape))
    direction[:3, :3] = matrix[:3, :3] / spacing
    header = Header(
        fields.shape,
        1,
        TYPES[fields.kind],
        (*spacing.tolist(), *[1.0] * further),
        (*matrix[:3, 3].tolist(), *[0.0] * further),
        tuple(direction.ravel().tolist()),
    )
    return header, matrix


def _version_1(fields: _Fields, start: bytes) -> bytes:
    """The header as one of NIfTI-1, the only version that all builds of ITK know; large sizes are cut."""
    if fields.length == 348:
        return start[:348]
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
    content[344:348] = b"n+1\0"
    return bytes(content)


def check_pair(path: Path) -> None:
    """Refuse an Analyze or NIfTI pair (``.hdr``, ``.img``) whose voxels are cut off, which ITK fills up.

    Args:
        path: either file of the pair.

    Raises:
        UnreadableError: if one file is missing, or the voxels are fewer than declared.
    """
    stem = re.sub(r"\.(hdr|img|img\.gz)$", "", path.name, flags=re.IGNORECASE)
    files = {one.name.lower(): one for one in path.parent.iterdir() if one.name.startswith(stem)}
    header, voxels = (
        next((files[name] for name in (f"{stem}{suffix}".lower() for suffix in endings) if name in files), None)
        for endings in ((".hdr",), (".img", ".img.gz"))
    )
    if header is None or voxels is None:
        raise UnreadableError("is one of a pair of files, .hdr and .img: put both into one folder")
    start = header.read_bytes()[:540]
    order = next((one for one in "<>" if len(start) >= 348 and struct.unpack_from(one + "i", start)[0] == 348), None)
    if order is None:
        return  # some other format, or NIfTI-2, which ITK reads or refuses
    dims = struct.unpack_from(order + "8h", start, 40)
    bits = struct.unpack_from(order + "h", start, 72)[0]
    if not 1 <= dims[0] <= 7 or min(dims[1 : dims[0] + 1]) < 1 or not 1 <= bits <= 256:
        raise UnreadableError(DAMAGED)
    needed = math.prod(dims[1 : dims[0] + 1]) * bits // 8
    content = voxels.read_bytes()
    if content.startswith(GZIP_START):
        stream = Inflater(content)
        content = stream.read(needed)
        stream.finish()
    if len(content) < needed:
        raise UnreadableError(DAMAGED)


def _disagreement(fields: _Fields, header: Header, name: str) -> list[str]:
    """A sentence if qform and sform put the image into different places."""
    if fields.qform is None or fields.sform is None:
        return []
    corners = np.array([[(n >> axis) & 1 for axis in range(3)] + [1] for n in range(8)], float)
    corners[:, :3] *= np.array(header.size[:3]) - 1
    places = {"qform": fields.qform, "sform": fields.sform}
    apart = np.linalg.norm((corners @ (fields.qform - fields.sform).T)[:, :3], axis=1).max()
    if apart < 0.5 * min(header.spacing[:3]):
        return []
    used_matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ header.matrix
    used = min(places, key=lambda form: np.abs(places[form] - used_matrix).max())
    other = "sform" if used == "qform" else "qform"
    if shear(places[other]) > SHEAR_TOLERANCE > shear(places[used]):
        return [
            f"{name}: its {other} is sheared, as of a tilted gantry, and its {used} is not; the {used} was used, as in "
            f"Slicer, which is up to {apart:.3g} mm off if the {other} is right: if so, resample the image first, or "
            "choose the type affine."
        ]
    return [
        f"{name}: its qform and its sform lie up to {apart:.3g} mm apart; the {used} was used, as in Slicer: if the "
        f"{other} is right, correct the header."
    ]
