"""The image of a file whose text header declares its voxels: NRRD and MetaImage."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .checks import Header
from .datafile import Stored, beside, check_listed, voxels
from .inflating import LARGEST_RATIO
from .isolated import read_isolated
from .itk_header import image_of
from .memory import check_fits
from .unreadable import UnreadableError


@dataclass(frozen=True)
class Declared:
    """What a header declares.

    Attributes:
        stored: how the voxels of one data file, or those behind the header, are stored.
        sizes: numbers along each axis, the fastest first.
        file: name of the data file; None if the voxels follow the header.
        files: names of the data files, if there are several.
        files_are_compressed: whether these are.
        binary: whether the voxels are raw or deflated; other encodings are left to ITK.
        skipped_lines: lines before the voxels.
    """

    stored: Stored
    sizes: tuple[int, ...]
    file: str | None = None
    files: list[str] | None = None
    files_are_compressed: bool = False
    binary: bool = True
    skipped_lines: int = 0

    def with_shape(self, shape: tuple[int, ...]) -> Declared:
        """The same for voxels of another shape."""
        return replace(self, stored=replace(self.stored, shape=shape))


def read_declared(path: Path, name: str, header: Header, declared: Declared, attached: bytes) -> sitk.Image:
    """The scalar image that a header declares.

    Args:
        path: of the header.
        name: what to call the image in messages.
        header: its geometry.
        attached: what follows the header in its file.

    Raises:
        UnreadableError: if data is missing, damaged or too short, or if the memory does not suffice.
    """
    itemsize = declared.stored.dtype.itemsize
    count = math.prod(declared.sizes)
    check_fits(count, itemsize)
    if declared.files is not None:
        ratio = LARGEST_RATIO if declared.files_are_compressed else 1
        check_listed(path, declared.files, count * itemsize // ratio)
        return read_isolated(path, name)
    if not declared.binary:
        _data_file(path, declared)
        return read_isolated(path, name)
    return image_of(read_voxels(path, declared, attached), header)


def read_voxels(path: Path, declared: Declared, attached: bytes) -> np.ndarray:
    """The numbers that a header declares, in one file and binary, in the shape in which they are stored.

    Args:
        path: of the header.
        attached: what follows the header in its file.

    Raises:
        UnreadableError: if they are missing, damaged, too few, or stored in another way, or if the memory does not
            suffice.
    """
    if declared.files is not None or not declared.binary:
        raise UnreadableError("is spread over several files, or is text: save it as one binary file")
    check_fits(math.prod(declared.stored.shape), declared.stored.dtype.itemsize)
    data_file = _data_file(path, declared)
    data = attached if data_file is None else data_file.read_bytes()
    for _ in range(declared.skipped_lines):
        data = data[data.index(b"\n") + 1 :] if b"\n" in data else b""
    return voxels(data, declared.stored)


def _data_file(path: Path, declared: Declared) -> Path | None:
    """The file of the voxels; None if they follow the header."""
    return None if declared.file is None else beside(path, declared.file.strip())
