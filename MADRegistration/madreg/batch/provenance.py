"""Where a result comes from: hashes of the inputs and versions of the software."""

from __future__ import annotations

import hashlib
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import __version__
from .pair import INPUTS, Pair

CHUNK = 1 << 20
LIBRARIES = ("torch", "numpy", "SimpleITK", "scipy")


def of_pair(pair: Pair, root: Path) -> dict[str, Any]:
    """SHA-256 of each input of a pair, versions and platform."""
    inputs = {name: path for name in INPUTS if (path := pair.input(name, root)) is not None}
    return {
        "inputs": {
            name: {"path": str(getattr(pair, name)), "sha256": sha256_of_scan(path)} for name, path in inputs.items()
        },
        "software": {
            "madreg": __version__,
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in LIBRARIES},
        },
        "platform": platform.platform(),
    }


def sha256_of_scan(path: Path) -> str | None:
    """SHA-256 of a file, or of the names and contents of all files in a folder; None if there is neither."""
    path = _without_number(path)
    if path.is_file():
        return _sha256(path)
    if not path.is_dir():
        return None
    digest = hashlib.sha256()
    for file in sorted(one for one in path.rglob("*") if one.is_file()):
        digest.update(f"{file.relative_to(path).as_posix()}\0{_sha256(file)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _without_number(path: Path) -> Path:
    """The folder of ``FOLDER:NUMBER``, which chooses one of several DICOM volumes."""
    found = re.fullmatch(r"(.+):\d+", str(path))
    return Path(found[1]) if found and not path.exists() else path


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
