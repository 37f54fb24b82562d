"""A segmentation on the grid of an image: a number for each structure, and its name where the file has one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from .checks import difference_of_grids
from .images import printable
from .label_maps import LabelMap, open_label_maps

MOST_STRUCTURES = 2000


@dataclass(frozen=True)
class Segmentation:
    """Structures of an image.

    Attributes:
        labels: int64 (k, j, i), 0 where there is none.
        names: of each label that occurs, in ascending order.
        others: those that may overlap these, as in the further layers of a file; their numbers may be the same.
    """

    labels: np.ndarray
    names: dict[int, str]
    others: tuple[Segmentation, ...] = ()


def read_segmentation(path: str | Path, image: sitk.Image, name: str) -> Segmentation:
    """Read the structures of an image.

    Slicer's names (``.seg.nrrd``) are kept, and so are segments that overlap; other structures are called by their
    number.

    Args:
        path: label map on the grid of the image: NIfTI, NRRD, MHA ...; or Slicer's segmentation of several layers.
        name: of the image, for messages.

    Raises:
        InputError: if it cannot be read, lies elsewhere, is empty, or does not hold whole numbers.
    """
    shown = printable(path)
    maps, _ = open_label_maps(path)
    difference = difference_of_grids(maps[0].image, image)
    if difference is not None:
        raise InputError(
            f"The segmentation {shown} {difference} ({name}): resample the segmentation onto the grid of the image."
        )
    return segmentation_of(maps, shown)


def segmentation_of(maps: list[LabelMap], name: str) -> Segmentation:
    """The structures of label maps on one grid; those without a name are called by their number.

    Args:
        name: of the segmentation, for messages.

    Raises:
        InputError: if it does not hold whole numbers, or if there is no structure, or far too many.
    """
    layers = [_structures(sitk.GetArrayFromImage(one.image), one.names, name) for one in maps]
    found = [layer for layer in layers if layer.names]
    if not found:
        raise InputError(f"The segmentation {name} is empty: give one with at least one structure.")
    return replace(found[0], others=tuple(found[1:]))


def _structures(values: np.ndarray, names: dict[int, str], shown: str) -> Segmentation:
    """The structures of one label map, perhaps none."""
    if not np.isfinite(values).all() or (values != np.rint(values)).any() or np.abs(values).max() > 2**31:
        raise InputError(f"The segmentation {shown} holds numbers with decimals: give a label map of whole numbers.")
    labels = values.astype(np.int64)
    present = [int(label) for label in np.unique(labels) if label != 0]
    if len(present) > MOST_STRUCTURES:
        raise InputError(
            f"The segmentation {shown} has {len(present)} different numbers: give a label map, not a scan."
        )
    return Segmentation(labels, {label: names.get(label, f"Structure {label}") for label in present})
