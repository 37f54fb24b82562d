"""The moving image on the grid of the fixed one."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..image.transform import Transform
from .intensity import fits_float32

INTERPOLATORS = {
    "linear": sitk.sitkLinear,
    "nearest": sitk.sitkNearestNeighbor,
    "bspline": sitk.sitkBSpline,
    "sinc": sitk.sitkLanczosWindowedSinc,
}

FAR_REACHING = ("bspline", "sinc")
"""Interpolations in which a voxel without a number would take others with it: of cubic B-splines, the whole image."""

EXACT = 1 << 53
"""Whole numbers up to this one are exact in float64, in which images of them are resampled."""

FEW = 100
"""Whole numbers: a range of fewer loses much of what it shows with its decimals."""


def resample(
    moving: sitk.Image,
    fixed: sitk.Image,
    transform: Transform,
    interpolation: str = "linear",
    fill: float | None = None,
    voxel_type: str = "moving",
) -> sitk.Image:
    """The moving image on the grid of the fixed one; see :class:`madreg.settings.Resampling`.

    Args:
        transform: fixed points to moving points.

    Raises:
        InputError: if the voxel type cannot hold the fill value.
    """
    array = sitk.GetArrayViewFromImage(moving)
    kind = check_fill(fill, voxel_type, array.dtype)
    fill = lowest(array) if fill is None else float(fill)
    # ITK cuts decimals off where the voxel type has none, which would darken the image by half a step
    precise = sitk.sitkFloat32 if fits_float32(array.dtype) and fits_float32(kind) else sitk.sitkFloat64
    gaps = None if np.isfinite(array).all() else ~np.isfinite(array)
    source = moving
    if gaps is not None:  # infinite numbers too, which ITK would make the greatest of the type
        stand_in = lowest(array) if interpolation in FAR_REACHING else np.nan
        source = _like(moving, np.where(gaps, array.dtype.type(stand_in), array))
    found = sitk.Resample(source, fixed, transform.to_itk(), INTERPOLATORS[interpolation], fill, precise)
    values = sitk.GetArrayFromImage(found)
    if gaps is not None and interpolation in FAR_REACHING:
        near = _like(moving, gaps.astype(np.float32))
        near = sitk.Resample(near, fixed, transform.to_itk(), sitk.sitkLinear, 0.0, sitk.sitkFloat32)
        values[sitk.GetArrayViewFromImage(near) > 0] = np.nan  # where linear interpolation has no number
    if np.issubdtype(kind, np.integer):
        _make_whole(values, kind, fill)
    elif values.dtype != kind:
        np.copyto(values, np.clip(values, np.finfo(kind).min, np.finfo(kind).max), where=np.isfinite(values))
    return _like(found, values.astype(kind, copy=False))


def _like(image: sitk.Image, array: np.ndarray) -> sitk.Image:
    """Voxels (k, j, i) on the grid of an image."""
    result = sitk.GetImageFromArray(array)
    result.CopyInformation(image)
    return result


def _make_whole(values: np.ndarray, kind: np.dtype, fill: float) -> None:
    """Round, in place, to what an integer type can hold; ``fill`` stands for NaN."""
    limits = np.iinfo(kind)
    highest = float(limits.max)
    if highest > limits.max:  # rounded up to a power of two
        highest = float(np.nextafter(highest, 0))
    np.nan_to_num(values, copy=False, nan=fill, posinf=highest, neginf=limits.min)
    np.rint(values, out=values)
    np.clip(values, limits.min, highest, out=values)


def lowest(array: np.ndarray) -> float:
    """The lowest finite value of voxels (k, j, i)."""
    return float(array[np.isfinite(array)].min())


def loss_notice(array: np.ndarray, voxel_type: str, name: str) -> str | None:
    """A sentence if a resampled image cannot keep the values of the moving one; None if it can.

    Args:
        array: (k, j, i) voxels of the moving image.
        name: of it.
    """
    kind = array.dtype if voxel_type == "moving" else np.dtype(voxel_type)
    if kind == array.dtype and kind.kind == "f":
        return None
    values = array if np.issubdtype(array.dtype, np.integer) else array[np.isfinite(array)]
    low, high = values.min(), values.max()
    limits = np.iinfo(kind) if np.issubdtype(kind, np.integer) else np.finfo(kind)
    if low < limits.min or high > limits.max:
        return (
            f"{name} has values from {low:g} to {high:g}, of which voxels of the type {kind} hold {limits.min:g} to "
            f"{limits.max:g}: the others become the nearest of these in the resampled image; another voxel type keeps "
            "them."
        )
    if values.dtype.kind in "iu" and max(abs(int(low)), abs(int(high))) > EXACT:
        return (
            f"{name} has whole numbers from {low} to {high}, of which the resampled image keeps the first digits only: "
            "subtract a constant from all of them first."
        )
    if kind.kind in "iu" and values.dtype.kind == "f" and high - low < FEW and (values != np.rint(values)).any():
        return (
            f"{name} has values from {low:g} to {high:g}, which become whole numbers in the resampled image: the voxel "
            "type float32 keeps their decimals."
        )
    return None


def check_fill(fill: float | None, voxel_type: str, moving: np.dtype) -> np.dtype:
    """The type of the resampled voxels.

    Args:
        moving: the type of the voxels of the moving image.

    Raises:
        InputError: if it cannot hold the fill value.
    """
    kind = moving if voxel_type == "moving" else np.dtype(voxel_type)
    if fill is not None and np.issubdtype(kind, np.integer):
        limits = np.iinfo(kind)
        if fill != round(fill) or not limits.min <= fill <= limits.max:
            raise InputError(
                f"Voxels of the type {kind} cannot hold the fill value {fill:g}: give a whole number from {limits.min} "
                f"to {limits.max}, or choose another voxel type."
            )
    return kind
