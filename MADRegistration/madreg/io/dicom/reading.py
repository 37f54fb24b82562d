"""DICOM: a folder, a DICOMDIR or a multi-frame file, of which one volume is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ...image.geometry import Grid
from ...system.counted import counted
from ..checks import Header, check_header
from ..other_files import IMAGES, is_archive
from ..unreadable import DAMAGED, UnreadableError
from .files import Found, Series, entries, files_of_dicomdir, find_series, folders_with_series, kinds_without_image
from .pixels import pixels_of
from .rectify import rectified
from .stack import Stack, stack_of
from .volumes import VolumeSlices, in_words_of_size, volumes_of

MOST_LISTED = 12


@dataclass(frozen=True)
class Candidate:
    """A volume that may be read.

    Attributes:
        number: by which it is chosen, from 1.
        series: that it belongs to.
        volume: its slices.
    """

    number: int
    series: Series
    volume: VolumeSlices

    @property
    def usable(self) -> bool:
        """Whether its slices have a place in the world and are more than one."""
        first = self.volume.first
        placed = first.position is not None and first.axes is not None and first.pixel_spacing is not None
        return placed and len(self.volume.slices) > 1

    @property
    def rank(self) -> tuple[bool, int, int]:
        """The largest is taken where none is named."""
        count = len(self.volume.slices)
        return self.usable, count, count * self.volume.first.rows * self.volume.first.columns

    @property
    def words(self) -> str:
        """A description for the user."""
        size = in_words_of_size(self.volume.slices)
        name = f'"{self.series.description}"' if self.series.description else None
        label = None if self.volume.label == size else self.volume.label or None
        return ", ".join(part for part in (name, self.series.modality or None, size, label) if part)


@dataclass(frozen=True)
class ReadVolume:
    """A volume that was read.

    Attributes:
        image: with NaN where there is no data.
        series: SeriesInstanceUID.
        volume: in words.
        notices: sentences for the user.
    """

    image: sitk.Image
    series: str
    volume: str
    notices: list[str]


def read_dicom(path: Path, name: str, choice: str | None = None) -> ReadVolume:
    """Read one volume.

    Args:
        path: a folder, of which the sub-folders do not count; a DICOMDIR; or a file.
        name: what to call it in messages.
        choice: which volume: its number as listed, or a SeriesInstanceUID; the largest if None.

    Raises:
        UnreadableError: if there is no such volume, or it is no stack of slices; the message says what to do.
        InputError: if it is not a 3D scalar image.
    """
    found = _find(path)
    offered = candidates(found)
    chosen = _chosen(offered, choice)
    notices = _notices(found, offered, chosen, name, choice)
    slices = chosen.volume.slices
    try:
        stack = stack_of(slices)
        check_header(_header(stack, chosen.volume), name)
        planes = pixels_of(slices, name)
    except UnreadableError as error:
        raise UnreadableError(f"{error}{_others(offered, chosen, name)}") from error
    label = f"{name} ({chosen.words})" if len(offered) > 1 else name
    notices += [f"{label}: {notice}." for notice in stack.notices]
    return ReadVolume(_image(stack, planes), chosen.series.uid, f"{chosen.number}: {chosen.words}", notices)


def candidates(found: Found) -> list[Candidate]:
    """All volumes, numbered."""
    pairs = [(series, volume) for series in found.series if series.slices for volume in volumes_of(series.slices)]
    return [Candidate(number, *pair) for number, pair in enumerate(pairs, 1)]


def largest_of(offered: Sequence[Candidate]) -> Candidate:
    """The volume that is read where none is named."""
    return max(offered, key=lambda one: one.rank)


def list_volumes(path: str | Path) -> list[Candidate]:
    """The volumes of a folder.

    Raises:
        UnreadableError: if it holds none.
    """
    return candidates(_find(Path(path)))


def _find(path: Path) -> Found:
    if path.is_file():
        found = find_series(files_of_dicomdir(path) if path.name.upper() == "DICOMDIR" else [path])
    else:
        inside = entries(path)
        found = find_series(inside)
        index = next((one for one in inside if one.name.upper() == "DICOMDIR" and one.is_file()), None)
        if not found.series and index is not None:
            found = find_series(files_of_dicomdir(index))
    if not any(series.slices for series in found.series):
        raise UnreadableError(_nothing(path, found))
    return found


def _nothing(path: Path, found: Found) -> str:
    """Why there is no volume, and what to do."""
    fault = next((series.fault for series in found.series if series.fault), None)
    if fault:
        return fault
    kinds = ", ".join(kinds_without_image([path] if path.is_file() else entries(path)))
    if path.name in found.unreadable:
        return DAMAGED
    if path.is_file():
        what = f"is a DICOM file of the kind {kinds} without an image" if kinds else "is no DICOM image"
        return f"{what}: give the folder that holds the slices"
    below = folders_with_series(path)
    if below:
        listed = ", ".join(f"{folder} ({counted(count, 'file')})" for folder, count in below[:MOST_LISTED])
        more = f" and {len(below) - MOST_LISTED} more" if len(below) > MOST_LISTED else ""
        return f"is a folder without DICOM files of its own: give one of those below it that hold some: {listed}{more}"
    if found.unreadable:
        return (
            f"is a folder of which nothing could be read ({len(found.unreadable)} entries such as "
            f"{found.unreadable[0]} cannot be opened or are damaged): copy it again"
        )
    if kinds:
        return (
            f"is a folder of DICOM files without an image (of the kind {kinds}): give the folder that holds the slices"
        )
    return f"is a folder without DICOM files: {_advice(path)}"


def _advice(folder: Path) -> str:
    """What to give in place of a folder without DICOM files."""
    inside = entries(folder)
    images = [one.name for one in inside if one.name.lower().endswith(IMAGES)]
    archive = next((one.name for one in inside if is_archive(one)), None)
    if images:
        more = f" and {len(images) - MOST_LISTED} more" if len(images) > MOST_LISTED else ""
        return f"give one of the images in it ({', '.join(images[:MOST_LISTED])}{more})"
    if archive is not None:
        return f"unpack {archive} in it, and give the folder that holds the slices"
    return "give an image file, or the folder that holds the slices"


def _chosen(offered: Sequence[Candidate], choice: str | None) -> Candidate:
    if choice is None:
        return largest_of(offered)
    if choice.isdigit() and 1 <= int(choice) <= len(offered):
        return offered[int(choice) - 1]
    of_series = [one for one in offered if one.series.uid == choice]
    if not of_series:
        raise UnreadableError(f"holds no volume {choice!r}: choose one of {_listed(offered)}")
    return largest_of(of_series)


def _listed(offered: Sequence[Candidate]) -> str:
    listed = "; ".join(f"{one.number}: {one.words}" for one in offered[:MOST_LISTED])
    return listed + (f"; and {len(offered) - MOST_LISTED} more" if len(offered) > MOST_LISTED else "")


def _others(offered: Sequence[Candidate], chosen: Candidate, name: str) -> str:
    """How to choose another volume, to follow a sentence; empty if there is no other that may be used."""
    others = [one for one in offered if one is not chosen and one.usable]
    return f"; or choose another volume with {name}:NUMBER ({_listed(others)})" if others else ""


def _notices(found: Found, offered: Sequence[Candidate], chosen: Candidate, name: str, choice: str | None) -> list[str]:
    notices = []
    others = [one for one in offered if one is not chosen]
    if others and choice is None:
        count = len({one.series.uid for one in offered})
        notices.append(
            f"{name} holds {len(offered)} volumes in {count} DICOM series: the largest was read, number "
            f"{chosen.number} ({chosen.words}); choose another with {name}:NUMBER ({_listed(others)})."
        )
    if found.unreadable:
        notices.append(
            f"{name}: {len(found.unreadable)} of its files, such as {found.unreadable[0]}, cannot be opened or are "
            "damaged; if they are slices, copy them again."
        )
    return notices


def _header(stack: Stack, volume: VolumeSlices) -> Header:
    """What is known before the pixels are read."""
    direction = tuple(stack.axes.ravel().tolist())
    size = (volume.first.columns, volume.first.rows, stack.steps)
    return Header(size, 1, "DICOM", tuple(stack.spacing.tolist()), tuple(stack.origin.tolist()), direction)


def _image(stack: Stack, planes: np.ndarray) -> sitk.Image:
    if stack.even and not stack.shifted:
        matrix = np.eye(4)
        matrix[:3, :3] = stack.axes * stack.spacing
        matrix[:3, 3] = stack.origin
        return Grid(planes.shape[::-1], matrix).as_image(planes)
    array, grid = rectified(stack, planes.__getitem__, planes.shape[1:])
    return grid.as_image(array)
