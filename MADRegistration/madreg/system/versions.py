"""Versions of the software that computes."""

from __future__ import annotations

import platform
from importlib import metadata

LIBRARIES = ("torch", "numpy", "SimpleITK", "scipy")


def versions() -> dict[str, str]:
    """Of Python and of the libraries that results depend on, by name."""
    return {"python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # of a build that was not installed by pip
        return "unknown"
