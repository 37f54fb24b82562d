"""Images, reports and pictures as files.

What is written is read back and compared before it replaces anything, since ITK does not report a full disk.
:func:`madreg.system.files.write_all` moves it into place.
"""

from __future__ import annotations

import io
import json
import math
import os
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk

from ..system.files import Content, bytes_content, write_file
from ..system.plotting import plain_matplotlib
from ..system.stderr import suppressed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE_DPI = 110


def image_content(image: sitk.Image) -> Content:
    """An image as a file, compressed where its format can; voxels (k, j, i) alone where the name ends in ``.npy``."""
    return Content(partial(_put_image, image), partial(_check_image, image))


def write_image(image: sitk.Image, path: str | Path) -> None:
    """Write an image (:data:`~madreg.io.file_names.IMAGE_SUFFIXES`), compressed where its format can.

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


@plain_matplotlib()
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
