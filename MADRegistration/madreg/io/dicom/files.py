"""DICOM files of a folder, and the series in them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..unreadable import UnreadableError
from .frames import slices_of_frames
from .mosaic import is_mosaic, slices_of_mosaic
from .slices import Slice, slice_of
from .tags import DamagedDicomError, looks_like_dicom, number, read_tags, value, word

MOST_ENTRIES = 20_000
"""Files and folders that are looked at to say which folders hold series."""


@dataclass
class Series:
    """One series.

    Attributes:
        uid: SeriesInstanceUID.
        number: SeriesNumber; infinite if there is none.
        description: in the words of whoever scanned.
        modality: e.g. ``CT``.
        slices: of all its files.
        files: number of its files.
        fault: why a file of it cannot be used; None if all can.
    """

    uid: str
    number: float
    description: str
    modality: str
    slices: list[Slice] = field(default_factory=list)
    files: int = 0
    fault: str | None = None


@dataclass
class Found:
    """What a folder holds.

    Attributes:
        series: by number.
        unreadable: entries that could not be opened, such as dangling links, or are damaged.
    """

    series: list[Series]
    unreadable: list[str]


def find_series(files: Iterable[Path]) -> Found:
    """The series in some files; what is no DICOM image is passed over."""
    series: dict[str, Series] = {}
    unreadable: list[str] = []
    for path in files:
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe would wait for ever
                continue
            tags = read_tags(path)
        except (DamagedDicomError, OSError):
            unreadable.append(path.name)
            continue
        if tags is not None:
            _add(series, path, tags)
    return Found(sorted(series.values(), key=lambda one: (one.number, one.uid)), unreadable)


def _add(series: dict[str, Series], path: Path, tags: Any) -> None:
    uid = word(tags, "SeriesInstanceUID")
    if uid not in series:
        order = number(tags, "SeriesNumber")
        description = " ".join(word(tags, "SeriesDescription").split())
        series[uid] = Series(uid, float("inf") if order is None else order, description, word(tags, "Modality"))
    one = series[uid]
    one.files += 1
    try:
        if (number(tags, "SamplesPerPixel") or 1) != 1 or word(tags, "PhotometricInterpretation") == "PALETTE COLOR":
            raise UnreadableError("holds colour images: give a series of grey ones")
        if (number(tags, "NumberOfFrames") or 1) > 1 or value(tags, "PerFrameFunctionalGroupsSequence"):
            one.slices += slices_of_frames(path, tags)
        elif is_mosaic(tags):
            one.slices += slices_of_mosaic(slice_of(path, tags), tags)
        else:
            one.slices.append(slice_of(path, tags))
    except UnreadableError as error:
        one.fault = str(error)


def kinds_without_image(files: Iterable[Path]) -> list[str]:
    """The modalities of the DICOM files that hold no image, such as ``RTSTRUCT``; sorted."""
    import pydicom

    found = set()
    for path in files:
        if _is_dicom(path):
            try:
                found.add(word(pydicom.dcmread(path, specific_tags=["Modality"], force=True), "Modality") or "unknown")
            except Exception:  # pydicom raises many kinds for damaged files
                continue
    return sorted(found)


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, sorted by name.

    Raises:
        UnreadableError: if it cannot be opened.
    """
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise UnreadableError(f"cannot be opened ({error.strerror}): check your rights to it") from error


def folders_with_series(folder: Path) -> list[tuple[Path, int]]:
    """Folders below a folder that hold DICOM files, and how many each has; :data:`MOST_ENTRIES` are looked at."""
    found, seen = [], 0
    for root, folders, names in os.walk(folder):
        folders.sort()
        paths = [Path(root, name) for name in sorted(names)]
        seen += len(paths) + len(folders)
        count = sum(1 for path in paths if _is_dicom(path))
        if count and Path(root) != folder:
            found.append((Path(root), count))
        if seen > MOST_ENTRIES:
            break
    return found


def _is_dicom(path: Path) -> bool:
    try:
        return path.name != "DICOMDIR" and stat.S_ISREG(path.stat().st_mode) and looks_like_dicom(path)
    except OSError:
        return False


def files_of_dicomdir(path: Path) -> list[Path]:
    """The image files that a DICOMDIR names, those in its folder or below that exist.

    Raises:
        UnreadableError: if it is damaged or none of its files is there.
    """
    import pydicom

    folder = path.parent.resolve()
    try:
        records = pydicom.dcmread(path).DirectoryRecordSequence
        names = [record.ReferencedFileID for record in records if "ReferencedFileID" in record]
    except Exception as error:  # pydicom raises many kinds for damaged files
        raise UnreadableError("is no readable DICOMDIR: give the folder that holds the slices") from error
    files = []
    for name in names:
        parts = [name] if isinstance(name, str) else list(name)
        file = folder.joinpath(*(str(part) for part in parts))
        if file.resolve().is_relative_to(folder) and file.is_file():
            files.append(file)
    if not files:
        raise UnreadableError("names no file that is there: copy the whole disc, or give the folder of the slices")
    return files
