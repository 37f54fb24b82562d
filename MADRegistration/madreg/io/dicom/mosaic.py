"""Siemens mosaics: all slices of a volume side by side in one image."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from typing import Any

import numpy as np

from ..unreadable import UnreadableError
from .slices import Slice
from .tags import CSA_HEADER, MOSAIC_TILES, number, value, word


def is_mosaic(tags: Any) -> bool:
    """Whether a file's image is tiled."""
    return "MOSAIC" in word(tags, "ImageType").split("\\")


def slices_of_mosaic(whole: Slice, tags: Any) -> list[Slice]:
    """The tiles of a mosaic as slices.

    The position in the header is that of a single image as large as the whole mosaic; the tiles share its centre.

    Args:
        whole: the mosaic as one slice.

    Raises:
        UnreadableError: if the header does not say how the tiles lie.
    """
    csa = _csa(value(tags, CSA_HEADER))
    count = int(number(tags, MOSAIC_TILES) or _first(csa, "NumberOfImagesInMosaic") or 0)
    step = number(tags, "SpacingBetweenSlices") or number(tags, "SliceThickness")
    if count < 1 or step is None or whole.position is None or whole.axes is None or whole.pixel_spacing is None:
        raise UnreadableError(
            "is a mosaic whose header does not say how its tiles lie (private elements were removed): convert it to "
            "NIfTI at the scanner or with dcm2niix"
        )
    across = math.ceil(math.sqrt(count))
    rows, columns = whole.rows // across, whole.columns // across
    normal = _normal(csa, whole)
    half = np.array([whole.columns - columns, whole.rows - rows]) / 2 * whole.pixel_spacing
    first = whole.position + whole.axes @ half
    return [
        replace(
            whole,
            shape=(rows, columns),
            position=first + n * abs(step) * normal,
            identity=(*whole.identity, n),
            tile=((n // across) * rows, (n % across) * columns),
        )
        for n in range(count)
    ]


def _normal(csa: dict[str, list[str]], whole: Slice) -> np.ndarray:
    """Unit vector from tile to tile: that of the private header, else that of the right-hand rule."""
    try:
        normal = np.array([float(one) for one in csa["SliceNormalVector"][:3]])
    except (KeyError, ValueError):
        return whole.normal
    if normal.shape != (3,) or abs(abs(normal @ whole.normal) - 1) > 0.01:
        return whole.normal
    return whole.normal * np.sign(normal @ whole.normal)


def _first(csa: dict[str, list[str]], name: str) -> float | None:
    try:
        return float(csa[name][0])
    except (KeyError, IndexError, ValueError):
        return None


def _csa(content: bytes | None) -> dict[str, list[str]]:
    """Elements of Siemens' private CSA header (both versions); none if it is missing or damaged."""
    if not isinstance(content, bytes):
        return {}
    elements: dict[str, list[str]] = {}
    version_2 = content.startswith(b"SV10")
    position = 8 if version_2 else 0
    try:
        count = struct.unpack_from("<I", content, position)[0]
        position += 8
        for _ in range(min(count, 1000)):
            name = content[position : position + 64].split(b"\0")[0].decode("latin-1")
            items = struct.unpack_from("<i", content, position + 76)[0]
            position += 84
            texts = []
            for _ in range(items):
                words = struct.unpack_from("<4i", content, position)
                length = words[1] if version_2 else words[0]
                position += 16
                if not 0 <= length <= len(content):
                    return elements
                texts.append(content[position : position + length].split(b"\0")[0].decode("latin-1").strip())
                position += (length + 3) // 4 * 4
            elements[name] = [text for text in texts if text]
    except struct.error:
        pass
    return elements
