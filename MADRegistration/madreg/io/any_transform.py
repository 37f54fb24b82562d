"""A transform of any kind and of any program: linear or not, from its file."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk

from ..errors import InputError
from ..image.displacement_field import DisplacementField
from ..image.geometry import Grid
from ..image.transform import Transform
from .displacement_files import is_displacement_file, read_displacement_field
from .file_names import check_name
from .foreign_transforms import is_foreign_transform, read_foreign_transform
from .itk_transform import linear_transform, read_itk_transform

FIELD_SPACING, ACROSS = 3.0, 64
"""mm, at most, between the points at which other non-linear transforms (B-splines, composites) are evaluated, and how
many there are along the longest axis of the fixed image, at least: it may be of a mouse."""


def read_any_transform(path: str | Path, fixed: Grid, moving: Grid) -> Transform | DisplacementField:
    """The transform of a file of ITK (``.tfm``, ``.txt``, ``.h5``, ``.mat``), FSL (FLIRT's ``.mat``) or FreeSurfer
    (``.lta``), or a displacement field as an image; fixed points to moving points.

    Args:
        fixed, moving: lattices of the images between which it was made.

    Raises:
        InputError: if there is no such file, it cannot be read, or it cannot be used for these images.
    """
    check_name(path)
    if is_displacement_file(path):
        return read_displacement_field(path)
    if is_foreign_transform(path):
        return read_foreign_transform(path, fixed, moving)
    transform = read_itk_transform(path)
    if transform.GetDimension() != 3:
        raise InputError(f"{path} is a 2D transform: give one between 3D images.")
    return linear_transform(transform, path) if transform.IsLinear() else _as_field(transform, fixed, path)


def _as_field(transform: sitk.Transform, fixed: Grid, path: str | Path) -> DisplacementField:
    """A transform that is not linear, over the fixed image; a displacement field keeps its own lattice."""
    try:
        inner = transform.Downcast()
        if isinstance(inner, sitk.DisplacementFieldTransform):
            return DisplacementField.of_image(inner.GetDisplacementField())
        spacing = min(FIELD_SPACING, float((fixed.spacing * fixed.size).max()) / ACROSS)
        return DisplacementField.of_itk(transform, fixed.isotropic(spacing).widened(1))
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{path} holds displacements that are no numbers: write the transform again.") from error
