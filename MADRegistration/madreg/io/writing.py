"""The files of a registration: transform, resampled image, error map, report and picture.

What is written is read back and compared before it replaces anything, since ITK does not report a full disk.
:func:`madreg.system.files.write_all` moves it into place.
"""

from __future__ import annotations

import io
import json
import math
import os
import stat
import tempfile
import warnings
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..image.transform import Transform
from ..system.files import Content, bytes_content, write_file
from ..system.stderr import suppressed
from .isolated import check_transform
from .text_transform import is_text_transform
from .unreadable import UnreadableError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRANSFORM_SUFFIXES = (".tfm", ".txt", ".h5", ".mat")
IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")
REPORT_SUFFIXES = (".json",)
PICTURE_SUFFIXES = (".png", ".jpg", ".pdf", ".svg")
PAGE_SUFFIXES = (".html", ".htm")
PICTURE_DPI = 110


# --- before the work ------------------------------------------------------------------------------------------------


def check_output(path: str | Path, suffixes: Iterable[str], inputs: Iterable[str | Path] = ()) -> Path:
    """Make sure, before any work, that a file can be written.

    Args:
        suffixes: the endings that are known, with their dots.  Those of ITK have to be in lower case: ITK reads no
            ``.TFM``.
        inputs: files that are read and must not be overwritten.

    Raises:
        InputError: for another ending, a folder that is not there or does not take files, an input's own path, or a
            name that cannot be used.
    """
    path = Path(path)
    suffixes = tuple(suffixes)
    ending = next((one for one in suffixes if path.name.lower().endswith(one)), None)
    if ending is None:
        raise InputError(f"{path} has an unknown ending: choose one of {', '.join(suffixes)}.")
    if ending in (*TRANSFORM_SUFFIXES, *IMAGE_SUFFIXES) and not path.name.endswith(ending):
        raise InputError(f"{path} has an ending in capital letters, which ITK does not know: write it as {ending}.")
    if path.name.lower() in suffixes:
        raise InputError(f"{path} has no name before its ending: give one.")
    check_name(path)
    try:
        mode = _mode(path)
        if mode is not None and stat.S_ISDIR(mode):
            raise InputError(f"{path} is a folder: give the name of a file.")
        if mode is not None and not stat.S_ISREG(mode):
            raise InputError(f"{path} is a device or a pipe: give the name of a file.")
        real = os.path.realpath(path)
        if any(real == os.path.realpath(one) for one in inputs):
            raise InputError(f"{path} is an input and would be overwritten: choose another name.")
        folder = Path(real).parent
        if not folder.is_dir():
            raise InputError(f"{path} cannot be written, since the folder {folder} does not exist: create it first.")
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): choose a name and a folder that you may write to."
        ) from error
    return path


def check_name(path: str | Path) -> None:
    """Refuse a name that the libraries that read and write images, which expect UTF-8, cannot pass on.

    Raises:
        InputError: if it is not UTF-8, or holds a character that no name may hold.
    """
    name = str(path)
    try:
        fits = name.encode("utf-8") == os.fsencode(name)
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise InputError(f"{path} has a name that is not UTF-8: rename it, or use a UTF-8 locale such as C.UTF-8.")
    if "\0" in name:
        raise InputError(f"{path} has a name with a zero byte: give another one.")


def _mode(path: Path) -> int | None:
    """What kind of file there is, following links; None if there is none.  OSError for a loop of links."""
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


# --- transforms -----------------------------------------------------------------------------------------------------


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
    """Write a transform, fixed points to moving points, as an ITK file (:data:`TRANSFORM_SUFFIXES`).

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
        InputError: if there is no such file, or it cannot be read.
    """
    check_name(path)
    if not os.path.isfile(path):
        raise InputError(f"{path} does not exist: check the path of the transform.")
    try:
        if not is_text_transform(path):
            check_transform(Path(path).resolve(), os.stat(path).st_mtime_ns)
        with suppressed():
            return sitk.ReadTransform(str(path))
    except (RuntimeError, ValueError, OSError, UnreadableError) as error:  # ValueError: of messages that are not UTF-8
        raise InputError(
            f"{path} cannot be read as a transform: give an ITK transform file such as .tfm or .h5."
        ) from error


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
        raise InputError(f"{path} changes volumes more than a thousandfold: give an invertible transform.")
    return result


# --- images ---------------------------------------------------------------------------------------------------------


def image_content(image: sitk.Image) -> Content:
    """An image as a file, compressed where its format can; voxels (k, j, i) alone where the name ends in ``.npy``."""
    return Content(partial(_put_image, image), partial(_check_image, image))


def write_image(image: sitk.Image, path: str | Path) -> None:
    """Write an image (:data:`IMAGE_SUFFIXES`), compressed where its format can.

    Raises:
        InputError: if it cannot be written; a former file stays as it was.
    """
    write_file(Path(path), image_content(image))


def _put_image(image: sitk.Image, path: Path) -> None:
    if path.suffix == ".npy":
        np.save(path, sitk.GetArrayViewFromImage(image), allow_pickle=False)
        return
    with suppressed():  # ITK warns of every entry of the header that a format cannot keep
        sitk.WriteImage(image, str(path), useCompression=True)


def _check_image(image: sitk.Image, path: Path) -> None:
    wanted = sitk.GetArrayViewFromImage(image)
    if path.suffix == ".npy":
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    else:
        with suppressed():
            copy = sitk.ReadImage(str(path))
        found = sitk.GetArrayViewFromImage(copy)
    if found.shape != wanted.shape or not all(map(_same, wanted, found)):
        raise ValueError("the image reads back differently")


def _same(wanted: np.ndarray, found: np.ndarray) -> bool:
    """Whether two slices are equal where there are numbers; NIfTI cannot keep NaN and infinity."""
    return bool(((wanted == found) | ~np.isfinite(wanted)).all())


# --- reports and pictures -------------------------------------------------------------------------------------------


def report_content(report: dict) -> Content:
    """A report as JSON that a human can read; numbers that JSON does not know (NaN) become null."""
    return bytes_content((json.dumps(_plain(report), indent=2, allow_nan=False) + "\n").encode("ascii"))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def picture_content(figure: Figure) -> Content:
    """A matplotlib figure as a picture."""
    return Content(partial(_put_picture, figure), _check_picture)


def _put_picture(figure: Figure, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of characters in a name that the font does not have
        stream = io.BytesIO()  # some of matplotlib's writers stumble over their own error where a disk is full
        figure.savefig(stream, dpi=PICTURE_DPI, format=path.suffix[1:].lower())
    path.write_bytes(stream.getvalue())


def _check_picture(path: Path) -> None:
    """Raise ValueError or OSError for a picture that is cut off or shows nothing."""
    if path.suffix.lower() in (".png", ".jpg"):
        from matplotlib.image import imread

        pixels = imread(path)
        if pixels.min() == pixels.max():
            raise ValueError("the picture is empty")
        return
    end = {".pdf": b"%%EOF", ".svg": b"</svg>"}[path.suffix.lower()]
    if not path.read_bytes().rstrip().endswith(end):
        raise ValueError("the picture is cut off")
