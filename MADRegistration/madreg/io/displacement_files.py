"""Displacement fields as images: three numbers per voxel, fixed to moving, LPS mm, as ITK and ANTs write them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..image.displacement_field import DisplacementField
from ..image.geometry import Grid
from .checks import Header, check_geometry
from .itk_header import one_line, read_header
from .metaimage import SUFFIXES as METAIMAGE
from .metaimage import read_metaimage_vectors
from .nifti import is_nifti, read_voxels
from .nifti_header import TYPES, NiftiFields, version_1
from .nrrd import read_nrrd_vectors
from .unreadable import UnreadableError

FIELD_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
RAS_INTENT = 1006
"""Of NIfTI: displacements along RAS; ITK's own, whose intent is 1007, are along LPS."""


def is_displacement_file(path: str | Path) -> bool:
    """Whether a file is an image by its name."""
    return Path(path).name.lower().endswith(FIELD_SUFFIXES)


def read_displacement_field(path: str | Path) -> DisplacementField:
    """Read a displacement field that is an image.

    Raises:
        InputError: if there is no such file, it cannot be read, or it is no field of three finite numbers per voxel.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder: give the file of the transform.")
        if not path.is_file():
            raise InputError(f"{path} does not exist: check the path of the transform.")
        field = _of_nifti(path) if is_nifti(path) else _of_declared(path)
    except UnreadableError as error:
        raise InputError(f"{path} {error}.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror}): check the path of the transform.") from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} holds displacements that are no numbers: write the field again.") from error
    check_geometry(field.grid.matrix, field.grid.size, str(path))
    return field


def _of_nifti(path: Path) -> DisplacementField:
    def understood(fields: NiftiFields, start: bytes) -> tuple[Header, int]:
        try:
            header = read_header(version_1(fields, start) + b"\0\0\0\0", ".nii")
        except RuntimeError as error:
            raise UnreadableError(f"cannot be read ({one_line(error)}): write the field again") from error
        if fields.kind not in TYPES or len(fields.shape) != 5 or fields.shape[3:] != (1, 3):
            raise UnreadableError(NO_FIELD)
        _refuse_other_programs(start, fields.length)
        place, form = (68, "h") if fields.length == 348 else (504, "i")
        return header, struct.unpack_from(fields.order + form, start, place)[0]

    (header, intent), fields, numbers = read_voxels(path, understood)
    vectors = np.moveaxis(numbers.reshape(3, *fields.shape[2::-1]), 0, -1)
    if intent == RAS_INTENT:
        vectors = vectors * np.array([-1, -1, 1], vectors.dtype)
    ni, nj, nk = fields.shape[:3]
    return DisplacementField(vectors, Grid((ni, nj, nk), header.matrix))


def _refuse_other_programs(start: bytes, length: int) -> None:
    """Refuse fields in the layout of ITK's that hold something else.

    NiftyReg's hold positions or displacements along RAS, or the points of a spline; SPM's hold positions along RAS.
    """
    description, name = (start[148:228], start[328:344]) if length == 348 else (start[240:320], start[508:524])
    program = "NiftyReg" if name.startswith(b"NREG_TRANS") else None
    if name.startswith(b"Mapping") or b"deformation" in description.lower():
        program = "SPM"
    if program is not None:
        raise UnreadableError(
            f"is a deformation of {program}, which holds no displacements along LPS: convert it to a displacement "
            "field of ITK"
        )


NO_FIELD = "is no displacement field: give an image of three numbers per voxel, as ITK and ANTs write it"


def _of_declared(path: Path) -> DisplacementField:
    """Of an NRRD or MetaImage file, header first, so that no more is read than it declares."""
    read = read_metaimage_vectors if path.name.lower().endswith(METAIMAGE) else read_nrrd_vectors
    header, vectors = read(path)
    if len(header.size) != 3 or vectors.shape[-1] != 3:
        raise UnreadableError(NO_FIELD)
    ni, nj, nk = header.size
    return DisplacementField(vectors, Grid((ni, nj, nk), header.matrix))
