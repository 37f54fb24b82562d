"""SHA-256 of inputs, by which a report says which files it is about."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

CHUNK = 1 << 20


def sha256_of_input(path: str | Path) -> str | None:
    """SHA-256, in hexadecimal, of a file, or of the names and contents of all files in a folder; None without either.

    Of a header whose voxels lie in other files (.nhdr, .mhd, .hdr), of the names and contents of all of these.

    Of a file in a folder that cannot be read the name alone counts: the reader has left it out, with a notice.

    Args:
        path: as it was given, perhaps ``FOLDER:VOLUME``.

    Raises:
        OSError: if the file cannot be read.
    """
    path = Path(path)
    if not path.exists():
        path = Path(str(path).rpartition(":")[0] or path)
    if path.is_file():
        others = _data_files(path)
        return _of_files(path.parent, [path, *others], _of_file) if others else _of_file(path)
    if not path.is_dir():
        return None
    return _of_files(path, sorted(one for one in path.rglob("*") if one.is_file()), _of_readable)


def _data_files(path: Path) -> list[Path]:
    """The files besides a header in which its voxels lie; none if they follow it, or if it is damaged."""
    from . import analyze_pairs, metaimage, nrrd  # which load ITK: a batch only hashes
    from .unreadable import UnreadableError

    of_ending = {
        ".nhdr": nrrd.data_files,
        ".mhd": metaimage.data_files,
        ".hdr": lambda header: [analyze_pairs.header_and_voxels(header)[1]],
    }
    data_files = of_ending.get(path.suffix.lower())
    try:
        return [] if data_files is None else data_files(path)
    except UnreadableError:
        return []


def _of_files(folder: Path, files: Iterable[Path], hash_of: Callable[[Path], str]) -> str:
    """The hash of names, as seen from a folder, and hashes."""
    digest = hashlib.sha256()
    for file in files:
        name = Path(os.path.relpath(file, folder)).as_posix()
        digest.update(f"{name}\0{hash_of(file)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _of_readable(path: Path) -> str:
    try:
        return _of_file(path)
    except OSError:
        return ""


def _of_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
