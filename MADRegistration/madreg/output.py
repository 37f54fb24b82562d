"""Files for the user: checked before the work starts, and written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from .errors import InputError
from .geometry import itk_transform, matrix_of_itk

TRANSFORM_ENDINGS = (".tfm", ".txt", ".h5", ".mat")
"""What ITK writes a linear transform to and reads it from."""

IMAGE_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")
"""Image formats of a single file: one of two files (.mhd, .hdr) could be written by half."""


def check_outputs(outputs: list[tuple[Path, tuple[str, ...]]], inputs: list[Path]) -> None:
    """Prove, before any work, that all files can be written and that none takes the place of an input.

    Nothing is left behind; a folder is not made.

    Args:
        outputs: every file to come, with the endings it may have.
        inputs: files that must stay as they are.

    Raises:
        InputError: naming the file that cannot be written, and why.
    """
    taken = [path.resolve() for path in inputs]
    for path, endings in outputs:
        if not path.name.lower().endswith(endings):
            raise InputError(f"{path} cannot be written: its name has to end in {' or '.join(endings)}.")
        if path.resolve() in taken:
            raise InputError(f"{path} is given twice: every output needs a name of its own, and none that of an input.")
        taken.append(path.resolve())
        if path.is_dir():
            raise InputError(f"{path} is a folder: give the name of a file.")
        if not path.parent.is_dir():
            raise InputError(f"{path} cannot be written: make the folder {path.parent} first.")
        try:
            with tempfile.TemporaryFile(dir=path.parent):
                pass
        except OSError as error:
            raise InputError(
                f"{path} cannot be written ({error.strerror}): choose another folder than {path.parent}.") from error


def _ending(path: Path) -> str:
    """What tells ITK the format: the last suffix, or .nii.gz."""
    return ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix


@contextlib.contextmanager
def replacing(*paths: Path) -> Iterator[list[Path]]:
    """Temporary names beside ``paths`` to write to; at the end they take their places, and on any error they go.

    Files that were there before stay untouched until all the new ones are complete.

    Raises:
        InputError: if writing fails, e.g. on a full disk.
    """
    temporary: list[Path] = []
    try:
        try:
            for path in paths:
                handle, name = tempfile.mkstemp(_ending(path), f".{path.name}.", path.parent)
                os.close(handle)
                temporary.append(Path(name))
            yield temporary
            for source, path in zip(temporary, paths, strict=True):
                source.chmod(0o666 & ~_umask())  # mkstemp makes files that only their owner may read
                os.replace(source, path)
        except (OSError, RuntimeError) as error:  # RuntimeError is how SimpleITK reports it
            reason = getattr(error, "strerror", None) or str(error).strip().splitlines()[-1].rstrip(".")
            names = ", ".join(str(path) for path in paths)
            raise InputError(f"{names} could not be written ({reason}): free some space or choose another "
                             "folder.") from error
    finally:
        for path in temporary:
            path.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_transform(path: Path, matrix: np.ndarray) -> None:
    """The 4x4 matrix, fixed LPS to moving LPS, as an ITK transform, which is also what Slicer loads."""
    sitk.WriteTransform(itk_transform(matrix), str(path))


def read_transform(path: Path) -> np.ndarray:
    """4x4 matrix, fixed LPS to moving LPS, of a linear ITK transform file.

    Raises:
        InputError: if the file is missing, damaged, or holds something else.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist: check the path of the transform.")
    try:
        transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise InputError(f"{path} cannot be read as a transform: give an ITK transform file "
                         f"({', '.join(TRANSFORM_ENDINGS)}).") from error
    if transform.GetDimension() != 3 or not transform.IsLinear():
        raise InputError(f"{path} holds a transform that is not linear in 3D: give a rigid or affine one.")
    matrix = matrix_of_itk(transform)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < 1e-6:
        raise InputError(f"{path} holds a transform that cannot be inverted: give a rigid or affine one.")
    return matrix


def resample(fixed: sitk.Image, moving: sitk.Image, matrix: np.ndarray) -> sitk.Image:
    """The moving image on the fixed grid, in its own intensities and pixel type; its minimum outside of its view.

    Args:
        matrix: 4x4, fixed LPS to moving LPS.
    """
    array = sitk.GetArrayViewFromImage(moving)
    lowest = float(array[np.isfinite(array)].min())
    kind = array.dtype
    # ITK cuts decimals off where the pixel type has none: it would darken the image by half a step
    precise = sitk.sitkFloat32 if kind.itemsize <= 2 or kind == np.float32 else sitk.sitkFloat64
    resampled = sitk.Resample(moving, fixed, itk_transform(matrix), sitk.sitkLinear, lowest, precise)
    if np.issubdtype(kind, np.integer):
        limits = np.iinfo(kind)
        rounded = np.clip(np.rint(sitk.GetArrayViewFromImage(resampled)), limits.min, limits.max).astype(kind)
        image = sitk.GetImageFromArray(rounded)
        image.CopyInformation(resampled)
        return image
    return sitk.Cast(resampled, moving.GetPixelID())


def write_image(path: Path, image: sitk.Image) -> None:
    """An image in the format that the ending names, compressed where that is possible."""
    sitk.WriteImage(image, str(path), useCompression=True)


def write_report(path: Path, report: dict[str, Any]) -> None:
    """A report as JSON; numbers that are not finite, which JSON does not know, become null."""
    path.write_text(json.dumps(_plain(report), indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
