"""NRRD files (``.nrrd``, ``.nhdr``): header first, then exactly what it declares, with its check sum compared."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .checks import Header
from .datafile import LONGEST_HEADER, Stored, is_list
from .declared import Declared, read_declared, read_voxels
from .itk_header import understood_header
from .unreadable import DAMAGED, UnreadableError

TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_BY_NAME = {name: code for code, names in TYPES.items() for name in names}
SUFFIXES = (".nrrd", ".nhdr")
NO_NRRD = "is no NRRD file, despite its ending: rename it to that of its format"


def read_nrrd(path: Path, name: str) -> tuple[sitk.Image, list[str]]:
    """Read an NRRD file; returns the image and sentences for the user.

    Args:
        name: what to call it in messages.

    Raises:
        UnreadableError: if it is damaged or cannot be represented.
        InputError: if it is not a 3D scalar image.
    """
    return read_declared(path, name, *_declared(path))


def read_nrrd_vectors(path: Path) -> tuple[Header, np.ndarray]:
    """An NRRD file of several numbers per voxel: its geometry, and the numbers (k, j, i, n).

    Raises:
        UnreadableError: if it is damaged or cannot be represented.
    """
    header, declared, attached = _declared(path)
    voxels = header.size[2::-1]
    if header.components == 1 and declared.sizes == header.size:
        return header, read_voxels(path, declared.with_shape((*voxels, 1)), attached)
    if declared.sizes == (header.components, *header.size):
        return header, read_voxels(path, declared.with_shape((*voxels, header.components)), attached)
    if declared.sizes == (*header.size, header.components):
        return header, np.moveaxis(read_voxels(path, declared.with_shape((header.components, *voxels)), attached), 0, 3)
    raise UnreadableError("has its numbers per voxel along an axis in between: save it again, with this axis first")


def data_files(path: Path) -> list[Path]:
    """The files that hold the voxels of an NRRD header; none if they follow it.

    Raises:
        UnreadableError: if it is damaged, or one is missing.
    """
    return _declared(path)[1].data_files(path)


def _declared(path: Path) -> tuple[Header, Declared, bytes]:
    """The geometry, what the header says of the voxels, and what follows the header."""
    content = path.read_bytes()
    lines, after = _header_lines(content)
    fields = _fields(lines)
    sizes = _numbers(fields.get("sizes", ""), int)
    kind = _BY_NAME.get(fields.get("type", "").lower())
    if not sizes or min(sizes) < 1 or fields.get("dimension", "").strip() != str(len(sizes)):
        raise UnreadableError(DAMAGED)
    if kind is None:
        raise UnreadableError(f"has the type {fields.get('type', '')[:40]!r}: give a scalar volume of numbers")
    dtype = np.dtype((">" if fields.get("endian", "").strip().lower() == "big" else "<") + kind)
    header = _header(lines)
    encoding = fields.get("encoding", "").strip().lower()
    data_file = fields.get("data file", fields.get("datafile"))
    compressed = encoding in ("gzip", "gz")
    skip = _numbers(fields.get("byte skip", fields.get("byteskip", "0")), int)
    line_skip = _numbers(fields.get("line skip", fields.get("lineskip", "0")), int)
    declared = Declared(
        stored=Stored(dtype, header.size[2::-1], compressed, skip[0] if skip else 0),
        sizes=tuple(sizes),
        file=data_file,
        files=_listed(data_file, lines) if data_file is not None and is_list(data_file) else None,
        binary=encoding == "raw" or compressed,
        text=encoding in ("txt", "text", "ascii"),
        skipped_lines=line_skip[0] if line_skip else 0,
        is_sized=_sized_axes(fields) >= min(len(header.size), 3),
    )
    return header, declared, content[after:]


def _sized_axes(fields: dict[str, str]) -> int:
    """Along how many axes the header says how large voxels are; along others ITK takes 1 mm."""
    directions = re.findall(r"\(.*?\)", fields.get("space directions", ""))
    spacings = _numbers(fields.get("spacings", ""), float)
    return max(len(directions), sum(map(math.isfinite, spacings)))


def _header_lines(content: bytes) -> tuple[list[str], int]:
    """The lines of the header, and where it ends: at an empty line, or with the file."""
    if not content.startswith(b"NRRD000"):
        raise UnreadableError(DAMAGED if len(content) < 8 else NO_NRRD)
    end = re.search(rb"\r?\n\r?\n", content[:LONGEST_HEADER])
    stop = end.end() if end else min(len(content), LONGEST_HEADER)
    return content[:stop].decode("latin-1").splitlines(), stop


def _fields(lines: list[str]) -> dict[str, str]:
    """Fields by name; remarks and key/value pairs are left out."""
    fields = {}
    for line in lines[1:]:
        match = re.match(r"([a-zA-Z][a-zA-Z ]*): (.*)", line)
        if match and not line.startswith("#"):
            fields[match[1].strip().lower()] = match[2].strip()
    return fields


def _numbers(text: str, kind: type) -> list:
    try:
        return [kind(word) for word in text.split()]
    except ValueError:
        raise UnreadableError(DAMAGED) from None


def _header(lines: list[str]) -> Header:
    """What ITK makes of the header, as if the data were attached raw."""
    kept = [lines[0]]
    for line in lines[1:]:
        field = line.partition(":")[0].strip().lower()
        if line.startswith("#") or ":=" in line or not line.strip():
            continue
        if field in ("data file", "datafile"):
            break  # what follows may be a list of files
        if field not in ("encoding", "byte skip", "byteskip", "line skip", "lineskip", "content"):
            kept.append(line)
    if not any(line.lower().startswith("endian:") for line in kept):
        kept.append("endian: little")  # needless for one-byte types
    content = "\n".join([*kept, "encoding: raw", "", ""]).encode("latin-1")
    return understood_header(content, ".nrrd")


def _listed(data_file: str, lines: list[str]) -> list[str]:
    """Names of the files over which the data is spread."""
    if not data_file.upper().startswith("LIST"):
        words = data_file.split()
        return [words[0] % number for number in range(*_range(words[1:]))] if len(words) >= 4 else []
    line = next(n for n, line in enumerate(lines) if re.match(r"data ?file:", line, re.IGNORECASE))
    return [name.strip() for name in lines[line + 1 :] if name.strip()]


def _range(words: list[str]) -> tuple[int, int, int]:
    first, last, step = _numbers(" ".join(words[:3]), int)
    if step == 0 or abs(last - first) > 100_000 * abs(step):
        raise UnreadableError(DAMAGED)
    return first, last + (1 if step > 0 else -1), step
