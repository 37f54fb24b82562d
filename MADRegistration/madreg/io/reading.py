"""Reading, in one place: what other packages import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import SimpleITK as sitk

from .images import open_image, read_image
from .intensity import CLAMP, intensity_window, normalise
from .scan import Loaded, read_scan, scan_from_image
from .source import Source

if TYPE_CHECKING:
    from ..image.volume import Volume

__all__ = [
    "CLAMP",
    "Loaded",
    "Source",
    "intensity_window",
    "normalise",
    "open_image",
    "read_image",
    "read_scan",
    "read_volume",
    "scan_from_image",
    "volume_from_image",
]


def volume_from_image(image: sitk.Image, name: str, mask: sitk.Image | None = None) -> tuple[Volume, list[str]]:
    """A volume of an image, and sentences to show to the user: see :func:`scan_from_image`."""
    scan = scan_from_image(image, name, mask)
    return scan.volume(), scan.notices


def read_volume(path: str | Path, mask_path: str | Path | None = None) -> tuple[Volume, list[str]]:
    """Read an image as a :class:`~madreg.image.volume.Volume`, and sentences to show to the user: :func:`read_scan`."""
    scan = read_scan(path, mask_path)
    return scan.volume(), scan.notices
