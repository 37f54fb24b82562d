"""ITK's view of a header alone, and images made of voxels and a header.

Geometry and pixel type are ITK's, as in Slicer; the voxels are read, and checked, by the readers of this package.
ITK reads a temporary file with nothing but the header, so neither the name nor the rest of a file matters.
"""

from __future__ import annotations

import re

import numpy as np
import SimpleITK as sitk

from ..system.cleanup import temporary_files, temporary_folder
from ..system.stderr import suppressed
from .checks import Header
from .unreadable import UnreadableError


def read_header(content: bytes, suffix: str) -> Header:
    """What ITK makes of a header.

    Args:
        content: the bytes of the header.
        suffix: ending by which ITK knows the format, e.g. ``.nii``.

    Raises:
        RuntimeError: if ITK does not take it.
        InputError: if no temporary file can be written.
    """
    with temporary_folder() as folder, suppressed():
        path = folder / f"header{suffix}"
        with temporary_files():
            path.write_bytes(content)
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        return Header.of_reader(reader)


def understood_header(content: bytes, suffix: str) -> Header:
    """What ITK makes of a header: as :func:`read_header`.

    Raises:
        UnreadableError: if ITK does not take it.
    """
    try:
        return read_header(content, suffix)
    except RuntimeError as error:
        raise UnreadableError(f"cannot be read as an image ({one_line(error)}): export it again") from error


def image_of(array: np.ndarray, header: Header) -> sitk.Image:
    """A 3D image of voxels (k, j, i) with the geometry of a header."""
    image = sitk.GetImageFromArray(array)
    dimension = len(header.size)
    image.SetSpacing(header.spacing[:3])
    image.SetOrigin(header.origin[:3])
    image.SetDirection(np.reshape(header.direction, (dimension, dimension))[:3, :3].ravel().tolist())
    return image


def one_line(error: Exception) -> str:
    """The last meaningful part of an ITK error, on one line and without addresses or a full stop."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("Reason:")] or lines  # errno, of some other call as often
    last = lines[-1] if lines else type(error).__name__
    last = re.sub(r"^(sitk::ERROR:|ITK ERROR:|itk::ERROR:)?\s*(itk::ERROR:)?\s*(\w+\(0x[0-9a-f]+\):)?\s*", "", last)
    return last.rstrip(". ")
