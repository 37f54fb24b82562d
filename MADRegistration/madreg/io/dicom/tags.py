"""The header of a DICOM file, read with pydicom, and its values as plain numbers and words."""

from __future__ import annotations

import math
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from ..unreadable import UnreadableError

SIEMENS_B_VALUE, SIEMENS_GRADIENT = 0x0019100C, 0x0019100E
GE_B_VALUE, PHILIPS_B_VALUE, UIH_B_VALUE = 0x00431039, 0x20011003, 0x00651009
MOSAIC_TILES, CSA_HEADER = 0x0019100A, 0x00291010

_KEYWORDS = (
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality"),
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "ImageType", "InstanceNumber", "AcquisitionNumber"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SpacingBetweenSlices", "SliceThickness"),
    *("EchoTime", "EchoNumbers", "InversionTime", "FlipAngle", "ConvolutionKernel", "TriggerTime"),
    *("DiffusionBValue", "DiffusionGradientOrientation", "TemporalPositionIdentifier", "FrameReferenceTime"),
    *("NominalPercentageOfCardiacPhase", "AcquisitionDateTime", "AcquisitionTime", "ContentTime", "AcquisitionDate"),
    *("RescaleSlope", "RescaleIntercept", "DoseGridScaling", "GridFrameOffsetVector", "PixelRepresentation"),
    *("BitsAllocated", "BitsStored", "HighBit", "PhotometricInterpretation", "DetectorInformationSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "DimensionIndexSequence"),
    *("SliceVector", "EnergyWindowVector", "DetectorVector", "PhaseVector", "RotationVector", "RRIntervalVector"),
    *("TimeSlotVector", "AngularViewVector", "TimeSliceVector"),
)
_PRIVATE = (SIEMENS_B_VALUE, SIEMENS_GRADIENT, GE_B_VALUE, PHILIPS_B_VALUE, UIH_B_VALUE, MOSAIC_TILES, CSA_HEADER)


@cache
def _pydicom() -> Any:
    """The package, set not to warn of values that deviate from the standard.

    Raises:
        UnreadableError: if it is not installed.
    """
    try:
        import pydicom
        import pydicom.config
    except ImportError as error:
        raise UnreadableError("needs the package pydicom to be read: install it (pip install pydicom)") from error
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    warnings.filterwarnings("ignore", module="pydicom")
    return pydicom


def read_tags(path: Path, pixels: bool = False) -> Any | None:
    """The header of a file, a ``pydicom.Dataset``; None if it is no DICOM image.

    Args:
        pixels: read the whole file, with its pixels.

    Raises:
        UnreadableError: if pydicom is not installed.
        DamagedDicomError: if it is a DICOM image that is damaged, or only called one.
        OSError: if the file cannot be opened.
    """
    pydicom = _pydicom()
    tags = None if pixels else [_tag(key) for key in (*_KEYWORDS, *_PRIVATE)]
    try:
        dataset = pydicom.dcmread(
            path, stop_before_pixels=not pixels, specific_tags=tags, force=_begins_like_dicom(path)
        )
    except pydicom.errors.InvalidDicomError as error:
        if path.suffix.lower() == ".dcm" and not path.name.startswith("."):  # cut off before what marks it
            raise DamagedDicomError(path.name) from error
        return None
    except OSError:
        raise
    except Exception as error:  # pydicom raises many kinds for damaged files
        raise DamagedDicomError(path.name) from error
    if not all(shape_of(dataset)):
        if _is_image(dataset):
            raise DamagedDicomError(path.name)
        return None
    return dataset


class DamagedDicomError(Exception):
    """A DICOM image, or a file called ``.dcm``, whose header cannot be read."""


def _is_image(dataset: Any) -> bool:
    """Whether a file without image size should have one; reports, plans, and directories have none."""
    kind = value(dataset, "SOPClassUID")
    return kind is None or "Image Storage" in str(getattr(kind, "name", ""))


def shape_of(tags: Any) -> tuple[int, int]:
    """Rows and columns of a file; 0 if they are missing or damaged."""
    return max(int(number(tags, "Rows") or 0), 0), max(int(number(tags, "Columns") or 0), 0)


def _begins_like_dicom(path: Path) -> bool:
    """Whether a file without the usual preamble begins with an element of group 2 or 8."""
    with path.open("rb") as file:
        start = file.read(132)
    return start[128:] != b"DICM" and start[:4] in (
        b"\x08\x00\x00\x00", b"\x08\x00\x01\x00", b"\x08\x00\x05\x00", b"\x08\x00\x08\x00",
        b"\x02\x00\x00\x00", b"\x02\x00\x01\x00", b"\x02\x00\x02\x00",
    )  # fmt: skip


def looks_like_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its first bytes."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM" or _begins_like_dicom(path)


@cache
def _tag(key: str | int) -> Any:
    """pydicom's tag of a keyword or a number; looking it up each time takes as long as reading the file."""
    from pydicom.tag import Tag

    return Tag(key)


def value(dataset: Any, key: str | int) -> Any:
    """The value of an element by keyword or tag; None if it is missing, empty or damaged."""
    try:
        tag = _tag(key)
        found = dataset[tag].value if tag in dataset else None
    except Exception:  # pydicom decodes values when they are asked for
        return None
    return None if found is None or found == "" or (hasattr(found, "__len__") and not len(found)) else found


def numbers(dataset: Any, key: str | int, count: int | None = None) -> tuple[float, ...] | None:
    """The numbers of an element; None if there are none, or not ``count`` of them, or one is no number."""

    found = value(dataset, key)
    if found is None:
        return None
    if isinstance(found, bytes):  # a private element of a file with implicit types
        found = found.decode("latin-1").strip("\0 ").split("\\")
    if isinstance(found, str) or not hasattr(found, "__iter__"):
        found = [found]
    try:
        result = tuple(float(one) for one in found)
    except (TypeError, ValueError):
        return None
    return result if all(map(math.isfinite, result)) and count in (None, len(result)) and result else None


def number(dataset: Any, key: str | int) -> float | None:
    """The first number of an element; None if there is none."""
    found = numbers(dataset, key)
    return found[0] if found else None


def word(dataset: Any, key: str) -> str:
    """The text of an element, parts joined by a backslash; empty if it is missing."""
    found = value(dataset, key)
    if found is None:
        return ""
    parts = [str(found)] if isinstance(found, (str, int, float)) or not hasattr(found, "__iter__") else map(str, found)
    return "\\".join(parts).strip()
