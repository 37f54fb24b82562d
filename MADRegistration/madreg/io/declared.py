"""The image of a file whose text header declares its voxels: NRRD and MetaImage."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .checks import Header, check_header
from .datafile import Stored, beside, voxels, voxels_of_text
from .isolated import read_isolated
from .itk_header import image_of
from .memory import check_fits
from .unreadable import DAMAGED, UnreadableError


@dataclass(frozen=True)
class Declared:
    """What a header declares.

    Attributes:
        stored: how the voxels of one data file, or those behind the header, are stored.
        sizes: numbers along each axis, the fastest first.
        file: name of the data file; None if the voxels follow the header.
        files: names of the data files, if there are several.
        binary: whether the voxels are raw or deflated; images in other encodings are left to ITK.
        text: whether they are written as decimal numbers.
        skipped_lines: lines before the voxels.
        is_sized: whether the header says how large the voxels are.
    """

    stored: Stored
    sizes: tuple[int, ...]
    file: str | None = None
    files: list[str] | None = None
    binary: bool = True
    text: bool = False
    skipped_lines: int = 0
    is_sized: bool = True

    def with_shape(self, shape: tuple[int, ...]) -> Declared:
        """The same for voxels of another shape."""
        return replace(self, stored=replace(self.stored, shape=shape))

    def data_files(self, path: Path) -> list[Path]:
        """The files that hold the voxels, given the path of the header; none if they follow it.

        Raises:
            UnreadableError: if one is missing or lies elsewhere: :func:`madreg.io.datafile.beside`.
        """
        names = self.files or ([] if self.file is None else [self.file.strip()])
        return [beside(path, name) for name in names]


def read_declared(
    path: Path, name: str, header: Header, declared: Declared, attached: bytes
) -> tuple[sitk.Image, list[str]]:
    """The scalar image that a header declares, and sentences for the user.

    Args:
        path: of the header.
        name: what to call the image in messages.
        header: its geometry.
        attached: what follows the header in its file.

    Raises:
        UnreadableError: if data is missing, damaged or too short, or if the memory does not suffice.
        InputError: if it is not a 3D scalar image.
    """
    check_header(header, name)
    check_fits(math.prod(declared.sizes), declared.stored.dtype.itemsize)
    if not declared.binary:
        declared.data_files(path)  # refuses what is missing
        return read_isolated(path, name), _notices(name, declared)
    return image_of(read_voxels(path, declared, attached), header), _notices(name, declared)


def _notices(name: str, declared: Declared) -> list[str]:
    if declared.is_sized:
        return []
    return [f"{name} has no voxel size in its header, and 1 mm was taken: if that is wrong, correct the header."]


def read_voxels(path: Path, declared: Declared, attached: bytes) -> np.ndarray:
    """The numbers that a header declares, in the shape in which they are stored.

    Args:
        path: of the header.
        attached: what follows the header in its file.

    Raises:
        UnreadableError: if they are missing, damaged, too few, or stored in another way, or if the memory does not
            suffice.
    """
    if not (declared.binary or declared.text):
        raise UnreadableError("holds its numbers in an encoding that is not read: save it as raw or gzip")
    stored, read = declared.stored, voxels if declared.binary else voxels_of_text
    check_fits(math.prod(stored.shape), stored.dtype.itemsize)
    if declared.files is None:
        data = next((file.read_bytes() for file in declared.data_files(path)), attached)
        return read(_without_lines(data, declared.skipped_lines), stored)
    count, rest = divmod(math.prod(stored.shape), max(len(declared.files), 1))
    if rest or not declared.files:
        raise UnreadableError(DAMAGED)
    piece = replace(stored, shape=(count,))
    pieces = (_without_lines(file.read_bytes(), declared.skipped_lines) for file in declared.data_files(path))
    return np.concatenate([read(one, piece) for one in pieces]).reshape(stored.shape)


def _without_lines(data: bytes, number: int) -> bytes:
    """Data without its first lines."""
    for _ in range(number):
        data = data[data.index(b"\n") + 1 :] if b"\n" in data else b""
    return data
