"""MetaImage files (``.mha``, ``.mhd``): header first, then exactly what it declares, with its check sum compared.

ITK's reader accepts damaged compressed data without an error, and ends the process for some invalid headers.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .checks import Header
from .datafile import LONGEST_HEADER, Stored, is_list
from .declared import Declared, read_declared, read_voxels
from .itk_header import understood_header
from .unreadable import DAMAGED, UnreadableError

TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
SUFFIXES = (".mha", ".mhd")
GEOMETRY = (
    *("TransformMatrix", "Rotation", "Orientation", "Offset", "Position", "Origin", "CenterOfRotation"),
    *("ElementSpacing", "ElementSize"),
)
"""Keys whose values are numbers; nothing else of the header is shown to ITK."""


def read_metaimage(path: Path, name: str) -> tuple[sitk.Image, list[str]]:
    """Read a MetaImage file; returns the image and sentences for the user.

    Args:
        name: what to call it in messages.

    Raises:
        UnreadableError: if it is damaged or cannot be represented.
        InputError: if it is not a 3D scalar image.
    """
    return read_declared(path, name, *_declared(path))


def read_metaimage_vectors(path: Path) -> tuple[Header, np.ndarray]:
    """A MetaImage file of several numbers per voxel: its geometry, and the numbers (k, j, i, n).

    Raises:
        UnreadableError: if it is damaged or cannot be represented.
    """
    header, declared, attached = _declared(path)
    return header, read_voxels(path, declared.with_shape((*header.size[2::-1], header.components)), attached)


def data_files(path: Path) -> list[Path]:
    """The files that hold the voxels of a MetaImage header; none if they follow it.

    Raises:
        UnreadableError: if it is damaged, or one is missing.
    """
    return _declared(path)[1].data_files(path)


def _declared(path: Path) -> tuple[Header, Declared, bytes]:
    """The geometry, what the header says of the voxels, and what follows the header."""
    content = path.read_bytes()
    keys, after = _keys(content)
    size = _numbers(keys, "DimSize", int)
    if _numbers(keys, "NDims", int) != [len(size)] or not 1 <= len(size) <= 10 or min(size) < 1:
        raise UnreadableError(DAMAGED)
    kind = TYPES.get(keys.get("ElementType", ""))
    if kind is None:
        raise UnreadableError(f"has the type {keys.get('ElementType', '')[:40]!r}: convert it to a scalar volume")
    header = _header(keys, size)
    dtype = np.dtype((">" if _is_true(keys, "BinaryDataByteOrderMSB", "ElementByteOrderMSB") else "<") + kind)
    skip = _numbers(keys, "HeaderSize", int)[0] if "HeaderSize" in keys else 0
    data_file = keys["ElementDataFile"]
    declared = Declared(
        stored=Stored(dtype, tuple(size[2::-1]), _is_true(keys, "CompressedData"), skip),
        sizes=tuple(size),
        file=None if data_file.upper() == "LOCAL" else data_file,
        files=_listed(data_file, content[after:]) if is_list(data_file) else None,
        binary="BinaryData" not in keys or _is_true(keys, "BinaryData"),
        text="BinaryData" in keys and not _is_true(keys, "BinaryData"),
        is_sized="ElementSpacing" in keys or "ElementSize" in keys,
    )
    return header, declared, content[after:]


def _keys(content: bytes) -> tuple[dict[str, str], int]:
    """The header's ``Key = value`` lines, and where the data begins behind the last of them."""
    keys: dict[str, str] = {}
    position = 0
    while position < min(len(content), LONGEST_HEADER):
        end = content.find(b"\n", position, position + LONGEST_HEADER)
        if end < 0:
            break
        key, separator, value = content[position:end].decode("latin-1").partition("=")
        if not separator and not keys:
            break
        position = end + 1
        keys[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            return keys, position
    if not keys and len(content) > 100:
        raise UnreadableError("is no MetaImage file, despite its ending: rename it to that of its format")
    raise UnreadableError(DAMAGED)


def _numbers(keys: dict[str, str], key: str, kind: type) -> list:
    try:
        numbers = [kind(word) for word in keys.get(key, "").split()]
    except ValueError:
        raise UnreadableError(DAMAGED) from None
    if not all(math.isfinite(number) for number in numbers):
        raise UnreadableError(f"has {key} that is no number: export it again, or correct the header")
    return numbers


def _is_true(keys: dict[str, str], *names: str) -> bool:
    return any(keys.get(name, "")[:1].upper() in ("T", "1") for name in names if name in keys)


def _header(keys: dict[str, str], size: list[int]) -> Header:
    """What ITK makes of the type, the size and the geometry."""
    lines = ["ObjectType = Image", f"NDims = {len(size)}", "BinaryData = True", "BinaryDataByteOrderMSB = False"]
    for key in GEOMETRY:
        if key in keys:
            numbers = _numbers(keys, key, float)
            if len(numbers) != (len(size) ** 2 if key in GEOMETRY[:3] else len(size)):
                raise UnreadableError(DAMAGED)
            if key == "ElementSpacing" and min(numbers) <= 0:
                raise UnreadableError(
                    f"has a voxel size of {keys[key]} mm: give positive sizes, and reverse axes in TransformMatrix"
                )
            lines.append(f"{key} = {keys[key]}")
    lines.append("DimSize = " + " ".join(str(n) for n in size))
    channels = _numbers(keys, "ElementNumberOfChannels", int) or [1]
    if not 1 <= channels[0] <= 1000:
        raise UnreadableError(DAMAGED)
    lines += [f"ElementNumberOfChannels = {channels[0]}", f"ElementType = {keys['ElementType']}"]
    return understood_header("\n".join([*lines, "ElementDataFile = LOCAL", ""]).encode("latin-1"), ".mha")


def _listed(data_file: str, after: bytes) -> list[str]:
    """Names of the files over which the data is spread."""
    if data_file.upper().startswith("LIST"):
        return [line.strip() for line in after.decode("latin-1").splitlines() if line.strip()]
    words = data_file.split()
    try:
        first, last, step = (int(word) for word in words[1:4])
        return [words[0] % number for number in range(first, last + 1, step)][:100_000]
    except (ValueError, TypeError):
        raise UnreadableError(DAMAGED) from None
