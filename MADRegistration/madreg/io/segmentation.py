"""A segmentation on the grid of an image: a number for each structure, and its name where the file has one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from .checks import difference_of_grids
from .images import open_image, printable

LARGEST_HEADER = 1 << 20
MOST_STRUCTURES = 2000


@dataclass(frozen=True)
class Segmentation:
    """Structures of an image.

    Attributes:
        labels: int64 (k, j, i), 0 where there is none.
        names: of each label that occurs, in ascending order.
    """

    labels: np.ndarray
    names: dict[int, str]


def read_segmentation(path: str | Path, image: sitk.Image, name: str) -> Segmentation:
    """Read the structures of an image.

    Slicer's names (``.seg.nrrd``) are kept; other structures are called by their number.

    Args:
        path: label map on the grid of the image: NIfTI, NRRD, MHA ...
        name: of the image, for messages.

    Raises:
        InputError: if it cannot be read, lies elsewhere, is empty, or does not hold whole numbers.
    """
    shown = printable(path)
    found, _ = open_image(path)
    difference = difference_of_grids(found, image)
    if difference is not None:
        raise InputError(
            f"The segmentation {shown} {difference} ({name}): resample the segmentation onto the grid of the image."
        )
    return _structures(sitk.GetArrayFromImage(found), _names(Path(path)), shown)


def segmentation_of(image: sitk.Image, names: dict[int, str], name: str) -> Segmentation:
    """The structures of a label map; those without a name are called by their number.

    Args:
        name: of the segmentation, for messages.

    Raises:
        InputError: if it does not hold whole numbers, or if there is no structure, or far too many.
    """
    return _structures(sitk.GetArrayFromImage(image), names, name)


def _structures(values: np.ndarray, names: dict[int, str], shown: str) -> Segmentation:
    if not np.isfinite(values).all() or (values != np.rint(values)).any() or np.abs(values).max() > 2**31:
        raise InputError(f"The segmentation {shown} holds numbers with decimals: give a label map of whole numbers.")
    labels = values.astype(np.int64)
    present = [int(label) for label in np.unique(labels) if label != 0]
    if not present:
        raise InputError(f"The segmentation {shown} is empty: give one with at least one structure.")
    if len(present) > MOST_STRUCTURES:
        raise InputError(
            f"The segmentation {shown} has {len(present)} different numbers: give a label map, not a scan."
        )
    return Segmentation(labels, {label: names.get(label, f"Structure {label}") for label in present})


def _names(path: Path) -> dict[int, str]:
    """Names by number, as Slicer writes them into the header of a ``.seg.nrrd``."""
    if not path.name.lower().endswith((".nrrd", ".nhdr")):
        return {}
    with path.open("rb") as file:
        text = file.read(LARGEST_HEADER).partition(b"\n\n")[0].decode("utf-8", "replace")
    fields = dict(re.findall(r"^(Segment\d+_(?:Name|LabelValue)):=(.*?)\r?$", text, re.MULTILINE))
    names = {}
    for key, value in fields.items():
        number = fields.get(key.replace("_Name", "_LabelValue"), "")
        if key.endswith("_Name") and number.strip().isdecimal():
            names[int(number)] = value.strip()
    return names
