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
