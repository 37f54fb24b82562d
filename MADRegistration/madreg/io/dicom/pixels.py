"""Pixels of slices as numbers: plain data read with numpy, compressed data decoded by ITK in another process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ..isolated import decode_isolated
from ..memory import check_fits
from ..unreadable import DAMAGED, UnreadableError
from .slices import Slice
from .tags import DamagedDicomError, number, read_tags, shape_of, value

PLAIN_SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")


def pixels_of(slices: Sequence[Slice], name: str) -> np.ndarray:
    """Pixels of slices of one size, rescaled slice by slice.

    Returns:
        (n, rows, columns): whole numbers if the rescaling leaves them whole, else float32.

    Raises:
        UnreadableError: if a file is damaged, or its compression is not known.
    """
    check_fits(len(slices) * slices[0].rows * slices[0].columns, 4)
    files = list(dict.fromkeys(one.path for one in slices))
    with ThreadPoolExecutor(4) as pool:
        stored = dict(zip(files, pool.map(_stored, files), strict=True))
    compressed = [path for path in files if stored[path] is None]
    decoded = _decoded(compressed, slices, name) if compressed else {}
    planes = [_plane(one, stored[one.path], decoded) for one in slices]
    if all(np.issubdtype(plane.dtype, np.integer) for plane in planes):
        return np.stack(planes)
    return np.stack([plane.astype(np.float32) for plane in planes])


def _stored(path: Path) -> np.ndarray | None:
    """The stored values of a file (frames, rows, columns); None if they are compressed."""
    try:
        tags = read_tags(path, pixels=True)
    except (DamagedDicomError, OSError):
        tags = None
    if tags is None:
        raise UnreadableError(f"cannot be read at {path.name}: copy or export it again")
    syntax = str(getattr(getattr(tags, "file_meta", None), "TransferSyntaxUID", "") or PLAIN_SYNTAXES[0])
    if syntax not in PLAIN_SYNTAXES:
        return None
    order = ">" if syntax == PLAIN_SYNTAXES[3] else "<"
    frames, rows, columns = max(int(number(tags, "NumberOfFrames") or 1), 1), *shape_of(tags)
    if (number(tags, "SamplesPerPixel") or 1) != 1:
        raise UnreadableError("holds colour images: give a series of grey ones")
    for keyword, kind in (("FloatPixelData", "f4"), ("DoubleFloatPixelData", "f8")):
        if value(tags, keyword) is not None:
            return _shaped(value(tags, keyword), np.dtype(order + kind), (frames, rows, columns), path)
    bits, kept = int(number(tags, "BitsAllocated") or 0), int(number(tags, "BitsStored") or 0)
    content = value(tags, "PixelData")
    if not isinstance(content, bytes):
        raise UnreadableError(f"has no pixels in {path.name}: copy or export it again")
    if bits == 1:
        flat = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little").tobytes()
        return _shaped(flat, np.dtype(np.uint8), (frames, rows, columns), path)
    if bits not in (8, 16, 32) or not 0 < kept <= bits:
        raise UnreadableError(f"has pixels of {bits} bits ({kept} of them used): convert it first")
    signed = bool(number(tags, "PixelRepresentation"))
    array = _shaped(content, np.dtype(f"{order}{'i' if signed else 'u'}{bits // 8}"), (frames, rows, columns), path)
    high = int(number(tags, "HighBit") or kept - 1)
    if kept == bits or not kept <= high + 1 <= bits:
        return array
    return (array << (bits - 1 - high)) >> (bits - kept)  # bits beside the value held overlays once


def _shaped(content: bytes, dtype: np.dtype, shape: tuple[int, int, int], path: Path) -> np.ndarray:
    count = math.prod(shape)
    if len(content) < count * dtype.itemsize:
        raise UnreadableError(f"is cut off in {path.name}: copy or export it again")
    array = np.frombuffer(content, dtype, count).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _decoded(files: list[Path], slices: Sequence[Slice], name: str) -> dict[tuple[Path, int], np.ndarray]:
    """Frames of compressed files, rescaled by ITK, by file and number."""
    counts = {path: _frame_count(path) for path in files}
    if any(counts[one.path] > 1 for one in slices if one.path in counts):
        scales = {(one.slope, one.intercept) for one in slices if one.path in counts}
        if len(scales) > 1:
            raise UnreadableError(
                "is compressed and scales its frames differently: decompress it first, with gdcmconv --raw or dcmdjpeg"
            )
    frames = decode_isolated(files, name)
    if len(frames) != sum(counts.values()):
        raise UnreadableError(DAMAGED)
    numbered = [(path, frame) for path in files for frame in range(counts[path])]
    return dict(zip(numbered, frames, strict=True))


def _frame_count(path: Path) -> int:
    return max(int(number(read_tags(path), "NumberOfFrames") or 1), 1)


def _plane(one: Slice, stored: np.ndarray | None, decoded: dict[tuple[Path, int], np.ndarray]) -> np.ndarray:
    """(rows, columns), rescaled."""
    if stored is None:
        return _tile(decoded[one.path, one.frame], one)
    if one.frame >= len(stored):
        raise UnreadableError(f"has fewer frames in {one.path.name} than it declares: copy or export it again")
    plane = _tile(stored[one.frame], one)
    if one.slope == 1 and one.intercept == int(one.intercept) and np.issubdtype(plane.dtype, np.integer):
        return _shifted(plane, int(one.intercept))
    return (plane * np.float64(one.slope) + one.intercept).astype(np.float32)


def _shifted(plane: np.ndarray, intercept: int) -> np.ndarray:
    """Whole numbers plus a whole number, in a type that holds them."""
    if intercept == 0:
        return plane
    wide = plane.astype(np.int64) + intercept
    small = np.iinfo(np.int16)
    fits = wide.min() >= small.min and wide.max() <= small.max
    return wide.astype(np.int16 if fits else np.int32)


def _tile(plane: np.ndarray, one: Slice) -> np.ndarray:
    if one.tile is None:
        return plane
    row, column = one.tile
    return plane[row : row + one.rows, column : column + one.columns]
