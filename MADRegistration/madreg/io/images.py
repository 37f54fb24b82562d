"""From a path to a 3D scalar image: which reader takes it, and what was read."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import SimpleITK as sitk

from ..errors import InputError
from . import metaimage, nrrd
from .checks import Header, check_header, small_notice
from .foreign import read_foreign
from .nifti import is_nifti, read_nifti
from .orthogonal_axes import with_orthogonal_axes
from .source import Source
from .unreadable import UnreadableError


def read_image(path: str | Path, notices: list[str] | None = None) -> sitk.Image:
    """Read a 3D scalar image: :func:`open_image`.

    Args:
        notices: sentences for the user are appended here.
    """
    image, source = open_image(path)
    if notices is not None:
        notices += source.notices
    return image


def open_image(path: str | Path, is_label_map: bool = False) -> tuple[sitk.Image, Source]:
    """Read a 3D scalar image: NIfTI, NRRD, MetaImage, DICOM, or whatever else ITK or nibabel knows.

    Args:
        path: an image file; or a folder of DICOM slices, of which the largest volume is read; or ``FOLDER:VOLUME``,
            where the volume is a number as listed in a notice, or a SeriesInstanceUID.
        is_label_map: whether its intensities are numbers of structures, which are not interpolated.

    Returns:
        The image with its original intensities, NaN where there is no data, its axes orthogonal; and what was read.

    Raises:
        InputError: if there is no such file, it cannot be read, or it is not a 3D scalar image.
    """
    name = printable(path)
    place, choice = _place(path)
    try:
        read = _read(place, name, choice, is_label_map)
    except UnreadableError as error:
        raise InputError(f"{printable(place)} {error}.") from error
    except OSError as error:
        raise InputError(f"{name} cannot be opened ({error.strerror}): check your rights to it.") from error
    image, sheared = with_orthogonal_axes(read.image, name, is_label_map)
    header = Header.of_image(image)
    check_header(header, name)
    small = small_notice(header.matrix, header.size, name)
    source = Source(
        name,
        read.kind,
        image.GetSize(),
        image.GetSpacing(),
        image.GetPixelIDTypeAsString(),
        read.series,
        read.volume,
        (*read.notices, *sheared, *([small] if small else [])),
    )
    return image, source


class _Read(NamedTuple):
    """What a reader has made of a file or a folder; ``kind`` is the format's name."""

    image: sitk.Image
    kind: str
    notices: Sequence[str] = ()
    series: str | None = None
    volume: str | None = None


def _read(place: Path, name: str, choice: str | None, is_label_map: bool) -> _Read:
    """Read with the reader of the format.

    Raises:
        UnreadableError: if it cannot be read.
    """
    kind = _kind(place)
    if kind == "DICOM":
        from .dicom.reading import read_dicom

        found = read_dicom(place, printable(place), choice)
        return _Read(found.image, kind, found.notices, found.series, found.volume)
    if choice is not None:
        raise UnreadableError("is no DICOM folder: leave the volume's number or UID out")
    if kind == "NIfTI":
        image, notices = read_nifti(place, name, is_label_map)
        return _Read(image, kind, notices)
    readers = {"NRRD": nrrd.read_nrrd, "MetaImage": metaimage.read_metaimage}
    if kind in readers:
        image, notices = readers[kind](place, name)
        return _Read(image, kind, notices)
    return _Read(*read_foreign(place, name, is_label_map))


def printable(path: str | Path) -> str:
    """A path as it can be shown: what is not UTF-8 in its name is replaced."""
    return os.fsencode(path).decode("utf-8", "replace")


def _place(path: str | Path) -> tuple[Path, str | None]:
    """The file or folder that is meant, and what is chosen of it."""
    text = os.fspath(path)
    if not text or "\0" in text:
        raise InputError(f"{text!r} is no path: give the path of an image.".replace("\\x00", "?"))
    try:
        if os.path.lexists(text):
            return Path(text), None
        before, _, choice = text.rpartition(":")
        if before and choice and os.path.lexists(before):
            return Path(before), choice
    except OSError:
        pass
    raise InputError(f"{printable(path)} does not exist: check the path of the image.")


def _kind(path: Path) -> str | None:
    """The format of a file or folder by its name, and where that says nothing by its first bytes.

    Raises:
        UnreadableError: if it is neither a file nor a folder.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise UnreadableError(f"cannot be opened ({error.strerror}): check the path and your rights to it") from error
    if stat.S_ISDIR(mode):
        return "DICOM"
    if not stat.S_ISREG(mode):
        raise UnreadableError("is no file but a pipe or a device: write the image to a file, and give that")
    if path.name.upper() == "DICOMDIR":
        return "DICOM"
    ending = path.name.lower()
    if is_nifti(path):
        return "NIfTI"
    if ending.endswith(nrrd.SUFFIXES):
        return "NRRD"
    if ending.endswith(metaimage.SUFFIXES):
        return "MetaImage"
    from .dicom.tags import looks_like_dicom

    return "DICOM" if looks_like_dicom(path) else None
