"""Sheared images, resampled onto a lattice with orthogonal axes."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ..image.geometry import Grid, itk_transform
from .checks import SHEAR_TOLERANCE, shear
from .intensity import fits_float32
from .memory import check_fits


def straightened(
    array: np.ndarray, matrix: np.ndarray, name: str, is_label_map: bool = False
) -> tuple[sitk.Image, str]:
    """A sheared image on a lattice with orthogonal axes that covers it; and a sentence that says so.

    The first axis and the plane of the first two are kept, since slices are sampled more finely than they are spaced.

    Args:
        array: (k, j, i) intensities.
        matrix: 4x4, index (i, j, k) to LPS mm.
        name: what to call the image.
        is_label_map: whether the intensities are numbers of structures.

    Returns:
        float32 or float64 image with linear interpolation, NaN outside the sheared image; of a label map with the
        nearest number, 0 outside.
    """
    axes, triangle = np.linalg.qr(matrix[:3, :3])
    axes = axes * np.sign(np.diag(triangle))
    spacing = np.abs(np.diag(triangle))  # of the third axis, the distance between the slices
    along = Grid(array.shape[::-1], matrix).corners @ axes
    low, high = along.min(0), along.max(0)
    new_size = np.ceil((high - low) / spacing - 1e-6).astype(int) + 1
    real = np.float32 if fits_float32(array.dtype) else np.float64
    check_fits(int(np.prod(new_size)), np.dtype(real).itemsize)
    straight = np.eye(4)
    straight[:3, :3] = axes * spacing
    straight[:3, 3] = axes @ low
    flat = sitk.GetImageFromArray(np.ascontiguousarray(array, dtype=real))  # an index is a point
    to_index = itk_transform(np.linalg.inv(matrix))
    grid = Grid((int(new_size[0]), int(new_size[1]), int(new_size[2])), straight)
    image = sitk.Resample(
        flat,
        grid.size,
        to_index,
        sitk.sitkNearestNeighbor if is_label_map else sitk.sitkLinear,
        straight[:3, 3].tolist(),
        spacing.tolist(),
        axes.ravel().tolist(),
        0.0 if is_label_map else float("nan"),
        flat.GetPixelID(),
    )
    angle = np.degrees(np.arcsin(min(shear(matrix), 1)))
    return image, f"{name}: its axes are sheared by {angle:.2g} degrees; it was resampled onto orthogonal axes."


def with_orthogonal_axes(image: sitk.Image, name: str, is_label_map: bool = False) -> tuple[sitk.Image, list[str]]:
    """The image itself if its axes are orthogonal unit vectors, else one that lies in the same place and has them; and
    a sentence that says so.

    Args:
        name, is_label_map: as of :func:`straightened`.
    """
    grid = Grid.of_image(image)
    lengths = np.linalg.norm(np.reshape(image.GetDirection(), (3, 3)), axis=0)
    if shear(grid.matrix) <= SHEAR_TOLERANCE:
        if np.abs(lengths - 1).max() > SHEAR_TOLERANCE:
            image = sitk.Image(image)
            image.SetSpacing(grid.spacing.tolist())
            image.SetDirection((grid.matrix[:3, :3] / grid.spacing).ravel().tolist())
        return image, []
    straight, notice = straightened(sitk.GetArrayFromImage(image), grid.matrix, name, is_label_map)
    return straight, [notice]
