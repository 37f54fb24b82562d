"""NIfTI (``.nii``, ``.nii.gz``, pairs; nifti1.h, nifti2.h): header first, then exactly what it declares.

ITK decides on the geometry, as in Slicer: where qform and sform differ, its choice counts, and a notice says so.  The
voxels are read here: ITK passes over truncated files, takes 1 mm for a spacing of zero, and reads 0 where a voxel is
no number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
import SimpleITK as sitk

from ..image.geometry import FLIP_LPS_RAS
from .analyze_pairs import header_and_voxels
from .checks import SHEAR_TOLERANCE, Header, check_header, shear
from .inflating import GZIP_START, Inflater
from .itk_header import image_of, one_line, read_header
from .memory import check_fits
from .nifti_header import TYPES, NiftiFields, check_fields, nifti_fields, version_1
from .orthogonal_axes import straightened
from .unreadable import DAMAGED, UnreadableError

Understood = TypeVar("Understood")


def is_nifti(path: Path) -> bool:
    """Whether a file is called ``.nii`` or ``.nii.gz``."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def read_nifti(path: Path, name: str, is_label_map: bool = False) -> tuple[sitk.Image, list[str]]:
    """Read a NIfTI file, compressed or not, whatever its name says.

    Args:
        path: the file, or either file of a pair.
        name: what to call it in messages.
        is_label_map: whether its intensities are numbers of structures.

    Returns:
        The image, with NaN where a voxel is no number; and sentences for the user.

    Raises:
        UnreadableError: if it is damaged or cannot be represented.
        InputError: if it is not a 3D scalar image.
    """

    def geometry(fields: NiftiFields, start: bytes) -> tuple[Header, np.ndarray | None]:
        header, sheared = _header(fields, start)
        check_header(header, name)
        return header, sheared

    (header, sheared), fields, array = read_voxels(path, geometry)
    array = array.reshape(fields.shape[2::-1])
    notices = _doubts(fields, header, name)
    if sheared is None:
        return image_of(array, header), notices
    image, notice = straightened(array, sheared, name, is_label_map)
    return image, [*notices, notice]


def read_voxels(
    path: Path, understood: Callable[[NiftiFields, bytes], Understood]
) -> tuple[Understood, NiftiFields, np.ndarray]:
    """What a file declares, and all its numbers, (n,), rescaled as its header says.

    Args:
        path: the file, or either file of a pair.
        understood: is called with the header, and the first bytes of the file, before the rest is read; may refuse it.

    Raises:
        UnreadableError: if it is damaged.
    """
    path, voxels = (path, None) if is_nifti(path) else header_and_voxels(path)
    with _opened(path) as stream:
        start = stream.read(540)
        fields = nifti_fields(start)
        if fields is None or fields.paired != (voxels is not None):
            raise UnreadableError(
                DAMAGED if len(start) < 348 else "is no NIfTI file, despite its ending: rename it to that of its format"
            )
        check_fields(fields)
        answer = understood(fields, start)
        count, kind = math.prod(fields.shape), np.dtype(fields.order + TYPES[fields.kind])
        check_fits(count, kind.itemsize)
        needed = fields.start + count * kind.itemsize
        data = b"" if voxels else start + stream.read(needed - len(start))
    if voxels:
        with _opened(voxels) as stream:
            data = stream.read(needed)
    if len(data) < needed:
        raise UnreadableError(DAMAGED)
    array = np.frombuffer(data, kind, count, fields.start)
    array = array.astype(kind.newbyteorder("="), copy=False)
    if fields.rescaled:  # with the types and in the order in which ITK does it
        real = np.float64 if kind.kind == "f" and kind.itemsize == 8 else np.float32
        with np.errstate(over="ignore"):
            array = array.astype(real).astype(np.float64) * fields.slope + fields.intercept
            single = array.astype(real)
        if np.isinf(single).sum() == np.isinf(array).sum():  # else they are beyond float32, which ITK makes infinite
            array = single
    return answer, fields, array


@contextmanager
def _opened(path: Path) -> Iterator[Inflater | BinaryIO]:
    """The bytes of a file, inflated if they are compressed; the check sum is compared at the end.

    Raises:
        UnreadableError: if they are damaged.
    """
    with path.open("rb") as file:
        zipped = file.read(2) == GZIP_START
        file.seek(0)
        if not zipped:
            yield file
            return
        inflater = Inflater(file.read())
        yield inflater
        inflater.finish()


def is_nifti_pair(path: Path) -> bool:
    """Whether a file, called ``.hdr`` or ``.img``, belongs to a NIfTI pair rather than to an Analyze one.

    Raises:
        UnreadableError: if the other file is missing, or one is there twice or damaged.
    """
    content = header_and_voxels(path)[0].read_bytes()
    fields = nifti_fields(Inflater(content).read(540) if content.startswith(GZIP_START) else content[:540])
    return fields is not None and fields.paired


def _header(fields: NiftiFields, start: bytes) -> tuple[Header, np.ndarray | None]:
    """What ITK makes of the header; and the 4x4 LPS matrix of a sform that ITK does not take because it is sheared."""
    try:
        header = read_header(version_1(fields, start) + b"\0\0\0\0", ".nii")  # no extensions
        return replace(header, size=fields.shape[: len(header.size)]), None
    except RuntimeError as error:
        if "orthonormal" not in str(error) or fields.sform is None:
            raise UnreadableError(f"cannot be read ({one_line(error)}): export it again") from error
    matrix = FLIP_LPS_RAS @ fields.sform
    if not abs(np.linalg.det(matrix[:3, :3])) > 0:
        raise UnreadableError("has axes that lie in one plane: correct the sform in its header")
    if fields.kind not in TYPES:
        raise UnreadableError("has more than one number per voxel: give a scalar volume")
    return Header.of_matrix(fields.shape, matrix, TYPES[fields.kind]), matrix


def no_orientation(name: str, what: str) -> str:
    """A sentence about a header without orientation; ``what`` is said of it besides."""
    return (
        f"{name}: its header does not say how it is oriented{what}, and was read as Slicer does: if left and right or "
        "other sides are swapped, correct the header."
    )


def _doubts(fields: NiftiFields, header: Header, name: str) -> list[str]:
    """A sentence if the header does not say how the image lies, or if qform and sform put it into different places."""
    if fields.qform is None and fields.sform is None:
        return [no_orientation(name, " (neither qform nor sform)")]
    if fields.qform is None or fields.sform is None:
        return []
    corners = np.array([[(n >> axis) & 1 for axis in range(3)] + [1] for n in range(8)], float)
    corners[:, :3] *= np.array(header.size[:3]) - 1
    places = {"qform": fields.qform, "sform": fields.sform}
    apart = np.linalg.norm((corners @ (fields.qform - fields.sform).T)[:, :3], axis=1).max()
    if apart < 0.5 * min(header.spacing[:3]):
        return []
    used_matrix = FLIP_LPS_RAS @ header.matrix
    used = min(places, key=lambda form: np.abs(places[form] - used_matrix).max())
    other = "sform" if used == "qform" else "qform"
    if shear(places[other]) > SHEAR_TOLERANCE > shear(places[used]):
        return [
            f"{name}: its {other} is sheared, as of a tilted gantry, and its {used} is not; the {used} was used, as in "
            f"Slicer, which is up to {apart:.3g} mm off if the {other} is right: if so, resample the image first, or "
            "choose the type affine."
        ]
    return [
        f"{name}: its qform and its sform lie up to {apart:.3g} mm apart; the {used} was used, as in Slicer: if the "
        f"{other} is right, correct the header."
    ]
