"""The label maps of a file: one, or the layers into which 3D Slicer puts segments that overlap (``.seg.nrrd``).

A file with several layers is a 4D NRRD whose header says of each segment in which layer it lies and by which number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from . import nrrd
from .checks import TooSmallError, check_header
from .images import open_image, printable
from .itk_header import image_of
from .orthogonal_axes import with_orthogonal_axes
from .unreadable import UnreadableError

LARGEST_HEADER = 1 << 20


@dataclass(frozen=True)
class LabelMap:
    """A label map.

    Attributes:
        names: of its labels, as far as the file has any.
    """

    image: sitk.Image
    names: dict[int, str]


def open_label_maps(path: str | Path) -> tuple[list[LabelMap], list[str]]:
    """The label maps of a file, all on one lattice, and notices.

    Raises:
        InputError: if it cannot be read, or has fewer voxels than any image.
    """
    fields = _fields(Path(path))
    try:
        if fields.get("dimension") == "4" and any(key.endswith("_LabelValue") for key in fields):
            return _layers(Path(path), fields), []
        image, source = open_image(path, is_label_map=True)
    except TooSmallError as error:
        raise too_small(printable(path), error) from error
    return [LabelMap(image, _names(fields))], list(source.notices)


def too_small(name: str, error: TooSmallError) -> InputError:
    """What to say of a mask or a segmentation of fewer voxels than any image.

    Args:
        name: of it.
        error: what is said of an image of its size.
    """
    return InputError(f"{name} has {error.size} voxels, fewer than any image: resample it onto the grid of its image.")


def union(maps: list[LabelMap]) -> sitk.Image:
    """Where any of the label maps is not 0; a single one as it is."""
    first = maps[0].image
    if len(maps) == 1:
        return first
    inside = np.any([sitk.GetArrayViewFromImage(one.image) != 0 for one in maps], axis=0)
    image = sitk.GetImageFromArray(inside.astype(np.uint8))
    image.CopyInformation(first)
    return image


def _layers(path: Path, fields: dict[str, str]) -> list[LabelMap]:
    name = printable(path)
    try:
        header, numbers = nrrd.read_nrrd_vectors(path)
    except UnreadableError as error:
        raise InputError(f"{name} {error}.") from error
    except OSError as error:
        raise InputError(f"{name} cannot be opened ({error.strerror}): check your rights to it.") from error
    check_header(replace(header, components=1, pixel_type=str(numbers.dtype)), name)
    maps = []
    for layer in range(numbers.shape[-1]):
        image, _ = with_orthogonal_axes(image_of(np.ascontiguousarray(numbers[..., layer]), header), name, True)
        maps.append(LabelMap(image, _names(fields, layer)))
    return maps


def _fields(path: Path) -> dict[str, str]:
    """The dimension and what is said of segments in the header of a NRRD file; nothing of other files."""
    if not path.name.lower().endswith(nrrd.SUFFIXES) or not path.is_file():
        return {}
    try:
        with path.open("rb") as file:
            text = re.split(rb"\r?\n\r?\n", file.read(LARGEST_HEADER), maxsplit=1)[0].decode("utf-8", "replace")
    except OSError:  # the reader says why
        return {}
    return dict(re.findall(r"^(dimension|Segment\d+_(?:Name|LabelValue|Layer)):[ =] *(.*?)\s*$", text, re.MULTILINE))


def _names(fields: dict[str, str], layer: int | None = None) -> dict[int, str]:
    """Names by number, as Slicer writes them into the header; of one layer, or of all."""
    names = {}
    for key, name in fields.items():
        segment, _, kind = key.rpartition("_")
        number = fields.get(f"{segment}_LabelValue", "")
        here = layer is None or fields.get(f"{segment}_Layer", "0") == str(layer)
        if kind == "Name" and number.isdecimal() and here:
            names[int(number)] = name
    return names
