"""What was read: the record of an input that goes into reports."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Source:
    """An image file or DICOM volume as it was read.

    Attributes:
        path: the file or folder that was given.
        format: e.g. ``NIfTI`` or ``DICOM``.
        size: voxels along i, j, k.
        spacing: mm along i, j, k.
        pixel_type: in SimpleITK's words, e.g. ``16-bit signed integer``.
        series: of DICOM, the SeriesInstanceUID.
        volume: of DICOM, which volume was read, in words: number, description, and what distinguishes it from others.
        notices: sentences for the user, e.g. which series was taken or that slices are missing.
    """

    path: str
    format: str
    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    pixel_type: str
    series: str | None = None
    volume: str | None = None
    notices: tuple[str, ...] = ()

    def report(self) -> dict[str, Any]:
        """As data for a JSON report; what does not apply is left out."""
        fields = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {key: value for key, value in fields.items() if value is not None}
