"""Pairs of files, ``.hdr`` and ``.img``: Analyze, or the older form of NIfTI."""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path

from .inflating import GZIP_START, Inflater
from .unreadable import DAMAGED, UnreadableError


def check_pair(path: Path) -> None:
    """Refuse an Analyze or NIfTI pair (``.hdr``, ``.img``) whose voxels are cut off, which ITK fills up.

    Args:
        path: either file of the pair.

    Raises:
        UnreadableError: if one file is missing or there twice, or the voxels are fewer than declared.
    """
    header, voxels = header_and_voxels(path)
    start = header.read_bytes()
    start = Inflater(start).read(540) if start.startswith(GZIP_START) else start[:540]
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


def header_and_voxels(path: Path) -> tuple[Path, Path]:
    """Both files of a pair.

    Args:
        path: either of them.

    Raises:
        UnreadableError: if one is missing or there twice.
    """
    stem = re.sub(r"\.(hdr|img)(\.gz)?$", "", path.name, flags=re.IGNORECASE)
    files = {one.name.lower(): one for one in path.parent.iterdir() if one.name.startswith(stem)}
    return _the_one(files, stem, ".hdr"), _the_one(files, stem, ".img")


def _the_one(files: dict[str, Path], stem: str, ending: str) -> Path:
    """The file of a pair with an ending, compressed or not."""
    found = [files[name] for name in (f"{stem}{ending}".lower(), f"{stem}{ending}.gz".lower()) if name in files]
    if not found:
        raise UnreadableError("is one of a pair of files, .hdr and .img: put both into one folder")
    if len(found) > 1:
        raise UnreadableError(f"is there both as {found[0].name} and as {found[1].name}: keep only one of them")
    return found[0]
