"""Files that are written whole or not at all: the transform, the resampled image, the report, the picture."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..image.geometry import itk_transform, matrix_of_itk
from ..system.stderr import silenced

TRANSFORM_SUFFIXES = (".tfm", ".txt", ".h5", ".mat")
IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")
REPORT_SUFFIXES = (".json",)
PICTURE_SUFFIXES = (".png", ".jpg", ".pdf", ".svg")


def check_output(path: str | Path, suffixes: Iterable[str], inputs: Iterable[str | Path] = ()) -> Path:
    """Make sure, before any work, that a file can be written.

    Args:
        suffixes: the endings that are known, with their dots; case does not matter.
        inputs: files that are read and must not be overwritten.

    Raises:
        InputError: for another ending, a folder that is not there or does not take files, or an input's own path.
    """
    path = Path(path)
    if not path.name.lower().endswith(tuple(suffixes)):
        raise InputError(f"{path} has an unknown ending: choose one of {', '.join(suffixes)}.")
    if path.is_dir():
        raise InputError(f"{path} is a folder: give the name of a file.")
    if any(path.resolve() == Path(one).resolve() for one in inputs):
        raise InputError(f"{path} is an input and would be overwritten: choose another name.")
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written, since the folder {path.parent} does not exist: create it first.")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): choose a folder that you may write to."
        ) from error
    return path


def write_all(jobs: Mapping[Path, Callable[[Path], None]]) -> None:
    """Write several files, all or none.

    Each is written into a temporary folder beside its target and moved into place when the last one is complete;
    moving within a file system cannot leave half a file.

    Args:
        jobs: for each target, a function that writes it to the path it is given.

    Raises:
        InputError: if one cannot be written, a full disk for instance; then none is.
    """
    folders: list[Path] = []
    try:
        done = []
        for target, write in jobs.items():
            try:
                folders.append(Path(tempfile.mkdtemp(prefix=".madreg-", dir=target.parent)))
                draft = folders[-1] / target.name
                write(draft)
            except (OSError, RuntimeError) as error:  # SimpleITK reports everything as a RuntimeError
                raise InputError(
                    f"{target} cannot be written: check the free space and your rights to {target.parent}."
                ) from error
            done.append((draft, target))
        for draft, target in done:
            os.replace(draft, target)
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def write_transform(matrix: np.ndarray, path: Path) -> None:
    """Write a 4x4 matrix, fixed LPS to moving LPS in mm, as an ITK affine transform.

    That is what ITK resamples with, and what puts the moving volume in place when Slicer loads and applies it.
    """
    sitk.WriteTransform(itk_transform(matrix), str(path))


def read_transform(path: str | Path) -> np.ndarray:
    """4x4 matrix, fixed LPS to moving LPS in mm, of an ITK transform file.

    Raises:
        InputError: if there is no such file, it cannot be read, or it is not linear, 3D and invertible.
    """
    if not Path(path).is_file():
        raise InputError(f"{path} does not exist: check the path of the transform.")
    try:
        with silenced():
            transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise InputError(
            f"{path} cannot be read as a transform: give an ITK transform file such as .tfm or .h5."
        ) from error
    if transform.GetDimension() != 3 or not transform.IsLinear():
        raise InputError(f"{path} is not a linear 3D transform: give a rigid, similarity or affine one.")
    matrix = matrix_of_itk(transform)
    if not np.isfinite(matrix).all() or not 1e-3 < abs(np.linalg.det(matrix[:3, :3])) < 1e3:
        raise InputError(f"{path} squeezes space to nothing or holds no numbers: give an invertible transform.")
    return matrix


def resample(moving: sitk.Image, fixed: sitk.Image, matrix: np.ndarray) -> sitk.Image:
    """The moving image on the grid of the fixed one, in its own intensities and pixel type.

    Interpolation is linear; what the moving image does not cover gets its lowest value.

    Args:
        matrix: 4x4, fixed LPS to moving LPS, mm.
    """
    array = sitk.GetArrayViewFromImage(moving)
    lowest = float(array[np.isfinite(array)].min())
    # ITK cuts decimals off where the pixel type has none, which would darken the image by half a step
    precise = sitk.sitkFloat32 if array.dtype.itemsize <= 2 or array.dtype == np.float32 else sitk.sitkFloat64
    resampled = sitk.Resample(moving, fixed, itk_transform(matrix), sitk.sitkLinear, lowest, precise)
    if np.issubdtype(array.dtype, np.integer):
        rounded = sitk.GetImageFromArray(np.rint(sitk.GetArrayViewFromImage(resampled)).astype(array.dtype))
        rounded.CopyInformation(resampled)
        return rounded
    return sitk.Cast(resampled, moving.GetPixelID())


def write_image(image: sitk.Image, path: Path) -> None:
    """Write an image, compressed where its format can."""
    with silenced():  # ITK warns of every entry of the header that a format cannot keep
        sitk.WriteImage(image, str(path), useCompression=True)


def write_report(report: dict, path: Path) -> None:
    """Write a report as JSON that a human can read; numbers that JSON does not know (NaN) become null."""
    path.write_text(json.dumps(_plain(report), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
