"""Moving a scan by a known motion, and cutting its field of view."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from madreg.image.geometry import apply, itk_transform


def image_center(image: sitk.Image) -> np.ndarray:
    """World position (3,) of the middle of an image, LPS mm."""
    return np.array(image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()]))


def displace_header(image: sitk.Image, motion: np.ndarray) -> sitk.Image:
    """Move an image by a rigid 4x4 motion; the voxels stay as they are."""
    moved = sitk.Image(image)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    moved.SetDirection((motion[:3, :3] @ direction).ravel().tolist())
    moved.SetOrigin((motion[:3, :3] @ np.array(image.GetOrigin()) + motion[:3, 3]).tolist())
    return moved


def displace_resampled(image: sitk.Image, motion: np.ndarray) -> sitk.Image:
    """Move an image by an affine 4x4 motion, resampled onto a lattice with its axes that holds all of the image."""
    spacing = np.array(image.GetSpacing())
    direction = np.array(image.GetDirection()).reshape(3, 3)
    bits = np.array([[(n >> axis) & 1 for axis in range(3)] for n in range(8)])
    extent = bits * (np.array(image.GetSize()) - 1)
    corners = (direction @ np.diag(spacing) @ extent.T).T + np.array(image.GetOrigin())
    along_axes = apply(motion, corners) @ direction
    low, high = along_axes.min(0), along_axes.max(0)
    size = np.ceil((high - low) / spacing).astype(int) + 1
    background = float(sitk.GetArrayViewFromImage(image).min())
    return sitk.Resample(
        image,
        size.tolist(),
        itk_transform(np.linalg.inv(motion)),
        sitk.sitkLinear,
        (direction @ low).tolist(),
        spacing.tolist(),
        direction.ravel().tolist(),
        background,
    )


def crop(image: sitk.Image, rng: np.random.Generator) -> sitk.Image:
    """Half of an image along one of its axes, at least an eighth away from both ends where that is possible."""
    axis = int(rng.integers(3))
    length = image.GetSize()[axis]
    keep = length // 2
    first = int(rng.integers(length // 8, length - keep - length // 8 + 1))
    size, index = list(image.GetSize()), [0, 0, 0]
    size[axis], index[axis] = keep, first
    return sitk.RegionOfInterest(image, size, index)


def cut(image: sitk.Image, rng: np.random.Generator) -> sitk.Image:
    """An image without up to a fifth of its voxels on each of its six sides."""
    size = np.array(image.GetSize())
    low, high = (np.floor(rng.uniform(0, 0.2, 3) * size).astype(int) for _ in range(2))
    return sitk.RegionOfInterest(image, (size - low - high).tolist(), low.tolist())
