"""Transforms as ITK writes them: what ITK resamples with, and what Slicer loads."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..image.transform import Transform
from ..system.files import Content, write_file
from ..system.stderr import suppressed
from .file_names import TRANSFORM_SUFFIXES, check_name
from .isolated import check_transform
from .text_transform import LONGEST, is_text_transform
from .unreadable import UnreadableError


def transform_content(transform: Transform) -> Content:
    """A transform as an ITK file.

    That is what ITK resamples with, and what puts the moving volume in place when Slicer loads and applies it.
    """

    def check(path: Path) -> None:
        written = Transform.from_itk(sitk.ReadTransform(str(path)))
        if not np.allclose(written.matrix, transform.matrix, rtol=1e-9, atol=1e-9):
            raise ValueError("the transform reads back differently")

    return Content(lambda path: sitk.WriteTransform(transform.to_itk(), str(path)), check)


def write_transform(transform: Transform, path: str | Path) -> None:
    """Write a transform, fixed points to moving points, as an ITK file.

    Args:
        path: with one of :data:`~madreg.io.file_names.TRANSFORM_SUFFIXES`.

    Raises:
        InputError: if it cannot be written; a former file stays as it was.
    """
    write_file(Path(path), transform_content(transform))


def read_transform(path: str | Path) -> Transform:
    """The transform of an ITK file, fixed points to moving points.

    Raises:
        InputError: if there is no such file, it cannot be read, or it is not linear, 3D and invertible.
    """
    transform = read_itk_transform(path)
    if transform.GetDimension() != 3 or not transform.IsLinear():
        raise InputError(f"{path} is not a linear 3D transform: give a rigid, similarity or affine one.")
    return linear_transform(transform, path)


def read_itk_transform(path: str | Path) -> sitk.Transform:
    """What an ITK file holds, of any kind.

    Another process reads it first, unless it is plain text: for some damaged files ITK ends the process.

    Raises:
        InputError: if there is no such file, it cannot be read, or it holds several transforms that are no composite.
    """
    check_name(path)
    if not os.path.isfile(path):
        raise InputError(f"{path} does not exist: check the path of the transform.")
    _check_ending(path)
    try:
        is_one = is_text_transform(path) or check_transform(Path(path).resolve(), os.stat(path).st_mtime_ns)
        with suppressed():
            transform = sitk.ReadTransform(str(path))
    except (RuntimeError, ValueError, OSError, UnreadableError) as error:  # ValueError: of messages that are not UTF-8
        advice = _of_elastix(path) or "give an ITK transform file such as .tfm or .h5"
        raise InputError(f"{path} cannot be read as a transform: {advice}.") from error
    if not is_one:
        raise InputError(
            f"{path} holds several transforms, and does not say that they are a chain: write them as one composite "
            "transform, or as a displacement field."
        )
    return transform


def _of_elastix(path: str | Path) -> str | None:
    """What to do with a file of elastix's own parameters; None for other files."""
    try:
        with Path(path).open("rb") as file:
            start = file.read(LONGEST)
    except OSError:
        return None
    if b'(Transform "' not in start:
        return None
    return 'have elastix write an ITK transform, with (ITKTransformOutputFileNameExtension "tfm") in its parameters'


def _check_ending(path: str | Path) -> None:
    """Refuse a file that ITK would not know by its ending, or would read in other coordinates."""
    ending = Path(path).suffix
    if ending.lower() == ".xfm":  # which ITK reads as if its RAS were LPS
        raise InputError(f"{path} is a transform of MINC: convert it to ITK's .tfm.")
    if ending.lower() == ".dat":
        raise InputError(f"{path} is a registration of FreeSurfer: convert it to .lta with tkregister2 or lta_convert.")
    if ending.lower() in TRANSFORM_SUFFIXES and ending != ending.lower():
        raise InputError(f"{path} has an ending in capital letters, which ITK does not know: rename it.")


def linear_transform(transform: sitk.Transform, path: str | Path) -> Transform:
    """A linear 3D transform that was read from a file.

    Raises:
        InputError: if it is not invertible.
    """
    try:
        result = Transform.from_itk(transform)
    except ValueError as error:
        raise InputError(f"{path} holds no numbers or no inverse: give an invertible transform.") from error
    if not 1e-3 < abs(np.linalg.det(result.linear)) < 1e3:
        raise InputError(f"{path} makes volumes more than 1000 times larger or smaller: give an invertible one, in mm.")
    return result
