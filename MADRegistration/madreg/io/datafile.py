"""Voxels that a text header describes: NRRD and MetaImage share these steps."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import numpy as np

from .inflating import LARGEST_RATIO, inflate
from .memory import check_fits
from .unreadable import DAMAGED, UnreadableError

LONGEST_HEADER = 1 << 22
BYTES_A_WORD = 80  # of memory, for a number as text


@dataclass(frozen=True)
class Stored:
    """How voxels lie in a file.

    Attributes:
        dtype: with its byte order.
        shape: (k, j, i).
        compressed: gzip or zlib.
        skip: bytes before the voxels, after inflating; -1: the voxels are the last bytes.
    """

    dtype: np.dtype
    shape: tuple[int, ...]
    compressed: bool
    skip: int = 0

    @property
    def nbytes(self) -> int:
        """Size of the voxels in bytes."""
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize


def is_list(data_file: str) -> bool:
    """Whether what a header gives as its data file are several: a list that follows, or a pattern with a number."""
    return data_file.upper().startswith("LIST") or "%" in data_file


def check_length(content_size: int, stored: Stored) -> None:
    """Refuse data that cannot hold the voxels, before anything is inflated.

    Raises:
        UnreadableError: if it is too short.
    """
    if stored.nbytes + max(stored.skip, 0) > content_size * (LARGEST_RATIO if stored.compressed else 1):
        raise UnreadableError(DAMAGED)


def voxels(content: bytes, stored: Stored) -> np.ndarray:
    """The voxels (k, j, i) in the byte order of this machine.

    Raises:
        UnreadableError: if the data is damaged or too short.
    """
    check_length(len(content), stored)
    if stored.compressed:
        content = inflate(content, max(stored.skip, 0) + stored.nbytes)
    start = len(content) - stored.nbytes if stored.skip < 0 else stored.skip
    array = np.frombuffer(content, stored.dtype, int(np.prod(stored.shape)), start).reshape(stored.shape)
    return array.astype(stored.dtype.newbyteorder("="), copy=False)


def voxels_of_text(content: bytes, stored: Stored) -> np.ndarray:
    """The voxels (k, j, i) that are written as decimal numbers, with space between them.

    Raises:
        UnreadableError: if there are too few, or not of the type, or if the memory does not suffice.
    """
    count = int(np.prod(stored.shape, dtype=object))
    check_fits(count, BYTES_A_WORD)
    kind = stored.dtype.newbyteorder("=")
    try:
        words = content.split(maxsplit=count)[:count]
        found = np.array(words).astype(np.dtype(f"{kind.kind}8"))
        if len(words) < count or (kind.kind in "iu" and (found != found.astype(kind)).any()):
            raise UnreadableError(DAMAGED)
    except (ValueError, OverflowError):
        raise UnreadableError(DAMAGED) from None
    with np.errstate(over="ignore"):
        return found.astype(kind).reshape(stored.shape)


def beside(header: Path, name: str) -> Path:
    """A data file that a header names, which must lie in the header's folder or below.

    Args:
        name: as it stands in the header, each byte a character.

    Raises:
        UnreadableError: if it lies elsewhere or does not exist.
    """
    folder = header.parent.resolve()
    with suppress(UnicodeError):  # else it is Latin-1
        name = name.encode("latin-1").decode("utf-8")
    if not name or "\0" in name:
        raise UnreadableError(DAMAGED)
    path = folder / name
    try:
        if PureWindowsPath(name).is_absolute() or PureWindowsPath(name).drive:
            inside = False
        else:
            inside = path.resolve().is_relative_to(folder)
        exists = path.is_file()
    except UnicodeEncodeError:  # the file system's encoding does not have such a name
        inside, exists = True, False
    if not inside:
        raise UnreadableError(f"names a data file outside its folder ({name}): put both into one folder")
    if not exists:
        raise UnreadableError(f"names a data file that is not there ({name}): put both into one folder")
    return path
