"""SHA-256 of inputs, by which a report says which files it is about."""

from __future__ import annotations

import hashlib
from pathlib import Path

CHUNK = 1 << 20


def sha256_of_input(path: str | Path) -> str | None:
    """SHA-256, in hexadecimal, of a file, or of the names and contents of all files in a folder; None without either.

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
        return _of_file(path)
    if not path.is_dir():
        return None
    digest = hashlib.sha256()
    for file in sorted(one for one in path.rglob("*") if one.is_file()):
        digest.update(f"{file.relative_to(path).as_posix()}\0{_of_readable(file)}\n".encode(errors="surrogateescape"))
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
