"""Ways to damage a file, each drawn from a random generator."""

from __future__ import annotations

import gzip
import re
import struct
from dataclasses import dataclass

import numpy as np

EXTREMES = ("-3", "0", "-1", "nan", "inf", "-inf", "1e30", "999999999", "4294967297", "x", "", "1e-30", "65535")
NUMBERS = (0, -1, 1, 2, 3, 7, 255, 32767, -32768)
REALS = (0.0, -1.0, 1e30, -1e30, 1e-30, float("nan"), float("inf"), -5.5, 352.0)

# of NIfTI-1: offset, format of one number, how many
NIFTI_FIELDS = (
    (0, "i", 1),  # sizeof_hdr
    (40, "h", 8),  # dim
    (70, "h", 1),  # datatype
    (72, "h", 1),  # bitpix
    (76, "f", 8),  # pixdim
    (108, "f", 1),  # vox_offset
    (112, "f", 2),  # scl_slope, scl_inter
    (252, "h", 2),  # qform_code, sform_code
    (256, "f", 6),  # quaternion and offset
    (280, "f", 12),  # srow
    (344, "B", 4),  # magic
)


@dataclass(frozen=True)
class Damage:
    """A damaged file, what was done to it, and whether a careful reader can detect it."""

    data: bytes
    kind: str
    detectable: bool


def damage(data: bytes, name: str, rng: np.random.Generator) -> Damage:
    """Damage a file of a format of :func:`campaign.scans.write` in a random way."""
    ways = [flip, truncate, wipe, edit_header]
    if name == "dicom":
        ways.remove(edit_header)
    return ways[rng.integers(len(ways))](data, name, rng)


def _checked(name: str) -> bool:
    """Whether the format has a checksum over its voxels."""
    return name in ("nii.gz", "nrrd, gzip", "mha, zlib")


def _voxels_begin(data: bytes, name: str) -> int:
    """Where the part that a checksum covers, or the voxels, begin."""
    if name.startswith("nrrd"):
        return data.index(b"\n\n") + 2
    if name.startswith("mha"):
        return data.index(b"LOCAL") + 6
    return {"nii": 352, "nii.gz": 10, "vtk": data.find(b"LOOKUP_TABLE") + 21, "gipl": 256, "dicom": 600}[name]


def flip(data: bytes, name: str, rng: np.random.Generator) -> Damage:
    """Flip one to eight bits."""
    changed, begin = bytearray(data), _voxels_begin(data, name)
    in_voxels = rng.random() < 0.6
    for _ in range(rng.integers(1, 9)):
        place = rng.integers(begin, len(data)) if in_voxels else rng.integers(0, begin)
        changed[place] ^= 1 << rng.integers(8)
    kind = "bits flipped in the voxels" if in_voxels else "bits flipped in the header"
    return Damage(bytes(changed), kind, in_voxels and _checked(name) and bytes(changed) != data)


def truncate(data: bytes, name: str, rng: np.random.Generator) -> Damage:
    """Cut the end off."""
    keep = int(rng.integers(0, len(data) - 8) if rng.random() < 0.8 else rng.integers(0, 400))
    return Damage(data[:keep], "cut off", True)


def wipe(data: bytes, name: str, rng: np.random.Generator) -> Damage:
    """Overwrite a piece of the voxels with zeros."""
    begin = _voxels_begin(data, name)
    first = int(rng.integers(begin, len(data) - 16))
    last = min(first + int(rng.integers(16, 4096)), len(data))
    changed = data[:first] + bytes(last - first) + data[last:]
    return Damage(changed, "zeros over a piece of the voxels", _checked(name) and changed != data)


def edit_header(data: bytes, name: str, rng: np.random.Generator) -> Damage:
    """Give a number in the header a value that it should not have."""
    if name == "nii":
        data = _edit_nifti(data, rng)
    elif name == "nii.gz":
        data = gzip.compress(_edit_nifti(gzip.decompress(data), rng), 1)
    elif name == "gipl":
        place = int(rng.integers(0, 256))
        data = data[:place] + bytes([rng.integers(256)]) + data[place + 1 :]
    else:
        begin = _voxels_begin(data, name)
        header = data[:begin]
        numbers = list(re.finditer(rb"(?<![\w.])-?\d+(\.\d+)?", header))
        chosen = numbers[rng.integers(len(numbers))]
        value = EXTREMES[rng.integers(len(EXTREMES))].encode()
        data = header[: chosen.start()] + value + header[chosen.end() :] + data[begin:]
    return Damage(data, "header with another number", False)


def _edit_nifti(data: bytes, rng: np.random.Generator) -> bytes:
    offset, form, count = NIFTI_FIELDS[rng.integers(len(NIFTI_FIELDS))]
    place = offset + struct.calcsize(form) * int(rng.integers(count))
    value = REALS[rng.integers(len(REALS))] if form == "f" else NUMBERS[rng.integers(len(NUMBERS))]
    if form == "B":
        value = int(value) % 256
    changed = bytearray(data)
    struct.pack_into("<" + form, changed, place, value)
    return bytes(changed)
