"""One slice: where it lies, where its pixels are, and what distinguishes it from others in the same place."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .tags import (
    GE_B_VALUE,
    PHILIPS_B_VALUE,
    SIEMENS_B_VALUE,
    SIEMENS_GRADIENT,
    UIH_B_VALUE,
    number,
    numbers,
    shape_of,
    word,
)

ATTRIBUTES = {
    "echo time": "EchoTime",
    "echo": "EchoNumbers",
    "b-value": "DiffusionBValue",
    "gradient": "DiffusionGradientOrientation",
    "image type": "ImageType",
    "time point": "TemporalPositionIdentifier",
    "inversion time": "InversionTime",
    "flip angle": "FlipAngle",
    "kernel": "ConvolutionKernel",
    "cardiac phase": "NominalPercentageOfCardiacPhase",
    "trigger time": "TriggerTime",
    "frame time": "FrameReferenceTime",
    "acquisition": "AcquisitionNumber",
    "acquired at": "AcquisitionTime",
}
"""What may distinguish volumes in one place, the most specific first; and the keyword of each."""

OF_FRAMES = (
    *("segment", "energy window", "detector", "phase", "rotation", "RR interval", "time slot", "time slice"),
    "dimension index",
)
"""The same of multi-frame files alone."""

UNITS = {"echo time": " ms", "inversion time": " ms", "trigger time": " ms", "frame time": " ms", "b-value": ""}


@dataclass(frozen=True, eq=False)
class Slice:
    """One image plane.

    Attributes:
        path: its file.
        frame: its number in the file.
        shape: rows, columns.
        position: (3,) LPS mm, the centre of its first pixel; None if the header has none.
        axes: (3, 2) unit vectors, LPS: along a row (column index grows), along a column; None likewise.
        pixel_spacing: mm between columns, and between rows; None likewise.
        series: SeriesInstanceUID.
        attributes: by the names in :data:`ATTRIBUTES` and :data:`OF_FRAMES`; equal values mean the same volume.
        order: by what slices in one place are sorted: time, then number.
        identity: SOPInstanceUID and frame, by which copies are known.
        slope, intercept: of its stored values.
        tile: first row and column of a mosaic's tile.
    """

    path: Path
    frame: int
    shape: tuple[int, int]
    position: np.ndarray | None
    axes: np.ndarray | None
    pixel_spacing: tuple[float, float] | None
    series: str
    attributes: dict[str, Any] = field(default_factory=dict)
    order: tuple = ()
    identity: tuple = ()
    slope: float = 1.0
    intercept: float = 0.0
    tile: tuple[int, int] | None = None

    @property
    def rows(self) -> int:
        """Number of pixels along a column."""
        return self.shape[0]

    @property
    def columns(self) -> int:
        """Number of pixels along a row."""
        return self.shape[1]

    @property
    def normal(self) -> np.ndarray:
        """(3,) unit vector perpendicular to the plane; the slice needs axes."""
        assert self.axes is not None
        return np.cross(self.axes[:, 0], self.axes[:, 1])


def axes_of(cosines: tuple[float, ...] | None) -> np.ndarray | None:
    """(3, 2) unit vectors of ImageOrientationPatient, made orthogonal; None if they are missing or impossible."""
    if cosines is None:
        return None
    row, column = np.array(cosines[:3]), np.array(cosines[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if min(lengths) < 0.5 or abs(row @ column) > 0.05 * lengths[0] * lengths[1]:
        return None
    row = row / lengths[0]
    column = column - (column @ row) * row
    return np.stack([row, column / np.linalg.norm(column)], axis=1)


def pixel_spacing_of(spacing: tuple[float, ...] | None) -> tuple[float, float] | None:
    """mm between columns and between rows, of PixelSpacing (which names rows first)."""
    return None if spacing is None or min(spacing) <= 0 else (spacing[1], spacing[0])


def position_of(position: tuple[float, ...] | None) -> np.ndarray | None:
    """(3,) LPS mm of ImagePositionPatient."""
    return None if position is None else np.array(position)


def slice_of(path: Path, tags: Any) -> Slice:
    """The one slice of a file that is not multi-frame."""
    intercept = number(tags, "RescaleIntercept")
    return Slice(
        path,
        0,
        shape_of(tags),
        position_of(numbers(tags, "ImagePositionPatient", 3)),
        axes_of(numbers(tags, "ImageOrientationPatient", 6)),
        pixel_spacing_of(numbers(tags, "PixelSpacing", 2)),
        word(tags, "SeriesInstanceUID"),
        attributes_of(tags),
        order_of(tags),
        (word(tags, "SOPInstanceUID"), 0),
        number(tags, "RescaleSlope") or 1.0,
        0.0 if intercept is None else intercept,
    )


def attributes_of(tags: Any) -> dict[str, Any]:
    """What may distinguish the volume of this slice from others in the same place."""
    found: dict[str, Any] = {}
    for name, keyword in ATTRIBUTES.items():
        if name in ("image type", "kernel", "acquired at"):
            found[name] = word(tags, keyword) or None
        else:
            values = numbers(tags, keyword)
            found[name] = None if values is None else values[0] if len(values) == 1 else values
    found["image type"] = _image_type(found["image type"])
    for key in (SIEMENS_B_VALUE, PHILIPS_B_VALUE, UIH_B_VALUE, GE_B_VALUE):
        private = number(tags, key)
        if found["b-value"] is None and private is not None:
            found["b-value"] = private % 100_000 if key == GE_B_VALUE else private  # GE adds 1e9
    if found["gradient"] is None:
        found["gradient"] = numbers(tags, SIEMENS_GRADIENT, 3)
    return found


def _image_type(text: str | None) -> str | None:
    """Without the words that differ within a volume, or say nothing."""
    parts = [part for part in (text or "").split("\\") if part and part not in ("ORIGINAL", "DERIVED", "PRIMARY")]
    return " ".join(parts) or None


def order_of(tags: Any) -> tuple:
    """By what slices in one place are sorted."""
    when = word(tags, "AcquisitionDateTime") or word(tags, "AcquisitionDate") + word(tags, "AcquisitionTime")
    return (
        number(tags, "AcquisitionNumber") or 0.0,
        when or word(tags, "ContentTime"),
        number(tags, "InstanceNumber") or 0.0,
    )


def in_words(name: str, value: Any) -> str:
    """An attribute for the user, such as ``echo time 90 ms``."""
    if isinstance(value, tuple):
        value = "/".join(f"{one:.3g}" for one in value)
    elif isinstance(value, float):
        value = f"{value:g}"
    return f"{name} {value}{UNITS.get(name, '')}" if value is not None else f"no {name}"
