"""The image of a file whose text header declares its voxels: NRRD and MetaImage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from .checks import Header
from .datafile import Stored, beside, check_listed, voxels
from .inflating import LARGEST_RATIO
from .isolated import read_isolated
from .itk_header import image_of
from .memory import check_fits


@dataclass(frozen=True)
class Declared:
    """What a header declares.

    Attributes:
        stored: how the voxels of one data file, or those behind the header, are stored.
        count: voxels.
        file: name of the data file; None if the voxels follow the header.
        files: names of the data files, if there are several.
        files_are_compressed: whether these are.
        binary: whether the voxels are raw or deflated; other encodings are left to ITK.
        skipped_lines: lines before the voxels.
    """

    stored: Stored
    count: int
    file: str | None = None
    files: list[str] | None = None
    files_are_compressed: bool = False
    binary: bool = True
    skipped_lines: int = 0


def read_declared(path: Path, name: str, header: Header, declared: Declared, attached: bytes) -> sitk.Image:
    """The image that a header declares.

    Args:
        path: of the header.
        name: what to call the image in messages.
        header: its geometry.
        attached: what follows the header in its file.

    Raises:
        UnreadableError: if data is missing, damaged or too short.
        InputError: if the memory does not suffice.
    """
    itemsize = declared.stored.dtype.itemsize
    check_fits(declared.count, itemsize)
    if declared.files is not None:
        ratio = LARGEST_RATIO if declared.files_are_compressed else 1
        check_listed(path, declared.files, declared.count * itemsize // ratio)
        return read_isolated(path, name)
    data_file = None if declared.file is None else beside(path, declared.file.strip())
    if not declared.binary:
        return read_isolated(path, name)
    data = attached if data_file is None else data_file.read_bytes()
    for _ in range(declared.skipped_lines):
        data = data[data.index(b"\n") + 1 :] if b"\n" in data else b""
    return image_of(voxels(data, declared.stored), header)
