"""What can be registered: 3D scalar images with plausible voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..image.geometry import Grid

SPACING_RANGE = (0.0005, 50.0)
"""Voxel sizes in mm that are plausible: from micro-CT to the coarsest localiser."""

SMALLEST_SLAB = 8
"""Voxels needed along two axes.  Along the third, two slices are enough: that is a thin slab, but has a depth."""

LARGEST_EXTENT = 20_000.0
"""mm along an axis: ten times a human being."""

FARTHEST_ORIGIN = 1e6
"""mm: beyond, float32 coordinates are coarser than a tenth of a millimetre."""

SMALL_EXTENT = 1.0
"""mm: a scan smaller than this along every axis is a microscope's, or its spacing is in metres."""

VECTOR = "vector of "
"""How SimpleITK's names of pixel types with several numbers begin; some files have one number along an axis."""

SHEAR_TOLERANCE = 1e-3
"""Largest scalar product of two axes that are taken for orthogonal: 0.06 degrees."""


@dataclass(frozen=True)
class Header:
    """What is known of an image before its voxels are read.

    Attributes:
        size: voxels along each axis.
        components: numbers per voxel.
        pixel_type: in SimpleITK's words.
        spacing: mm along each axis.
        origin: LPS mm.
        direction: row-major matrix, as ITK has it.
    """

    size: tuple[int, ...]
    components: int
    pixel_type: str
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]

    @classmethod
    def of_image(cls, image: sitk.Image) -> Header:
        """Of an image in memory."""
        return cls(
            image.GetSize(),
            image.GetNumberOfComponentsPerPixel(),
            image.GetPixelIDTypeAsString(),
            image.GetSpacing(),
            image.GetOrigin(),
            image.GetDirection(),
        )

    @classmethod
    def of_reader(cls, reader: sitk.ImageFileReader) -> Header:
        """Of a reader that has read the header of a file; a vector of one number is that number."""
        components, kind = reader.GetNumberOfComponents(), sitk.GetPixelIDValueAsString(reader.GetPixelID())
        return cls(
            reader.GetSize(),
            components,
            kind.removeprefix(VECTOR) if components == 1 else kind,
            reader.GetSpacing(),
            reader.GetOrigin(),
            reader.GetDirection(),
        )

    @classmethod
    def of_matrix(cls, size: tuple[int, ...], matrix: np.ndarray, pixel_type: str) -> Header:
        """Of a scalar image whose 4x4 matrix maps the first three indices (i, j, k) to LPS mm."""
        further = len(size) - 3
        direction = np.eye(len(size))
        with np.errstate(invalid="ignore", divide="ignore"):  # :func:`check_geometry` refuses it
            spacing = np.linalg.norm(matrix[:3, :3], axis=0)
            direction[:3, :3] = matrix[:3, :3] / spacing
        return cls(
            size,
            1,
            pixel_type,
            (*spacing.tolist(), *[1.0] * further),
            (*matrix[:3, 3].tolist(), *[0.0] * further),
            tuple(direction.ravel().tolist()),
        )

    @property
    def matrix(self) -> np.ndarray:
        """4x4, index (i, j, k) to LPS mm, of the first three axes."""
        dimension = len(self.size)
        matrix = np.eye(4)
        matrix[:3, :3] = np.reshape(self.direction, (dimension, dimension))[:3, :3] * self.spacing[:3]
        matrix[:3, 3] = self.origin[:3]
        return matrix


class TooSmallError(InputError):
    """An image of too few voxels to be registered; ``size`` is how many it has along each axis."""

    def __init__(self, message: str, size: str) -> None:
        super().__init__(message)
        self.size = size


def check_header(header: Header, name: str) -> None:
    """Refuse what is not a 3D scalar image with plausible voxels.

    Raises:
        TooSmallError: for 2D, one-slice and tiny images.
        InputError: for 4D, vector, colour and complex images, and for impossible geometry.
    """
    size = "x".join(str(n) for n in header.size)
    if len(header.size) > 3 and any(n != 1 for n in header.size[3:]):
        raise InputError(f"{name} is a {len(header.size)}D series ({size}): extract one 3D volume of it first.")
    if header.components > 1 or "complex" in header.pixel_type or "vector" in header.pixel_type:
        raise InputError(f"{name} has more than one number per voxel ({header.pixel_type}): give a scalar volume.")
    if len(header.size) < 3 or min(header.size[:3]) < 2:
        raise TooSmallError(
            f"{name} is a single slice ({size}): give a volume of two slices or more (for DICOM, the folder).", size
        )
    if sorted(header.size[:3])[1] < SMALLEST_SLAB:
        raise TooSmallError(
            f"{name} is too small to be registered ({size} voxels): give at least {SMALLEST_SLAB} along two axes.", size
        )
    if 0 in header.spacing[:3]:  # then ITK has no direction of this axis
        _check_spacing(np.array(header.spacing[:3]), name)
    check_geometry(header.matrix, header.size[:3], name)


def check_geometry(matrix: np.ndarray, size: tuple[int, ...], name: str) -> None:
    """Refuse a lattice that no scanner makes; a sheared one is accepted here.

    Args:
        matrix: 4x4, index (i, j, k) to LPS mm.
        size: voxels along i, j, k.

    Raises:
        InputError: if the matrix is not finite or not invertible, or if lengths are out of range.
    """
    if not np.isfinite(matrix).all():
        raise InputError(f"{name} has a position or an orientation that is no number: export it again.")
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    _check_spacing(spacing, name)
    if abs(np.linalg.det(matrix[:3, :3] / spacing)) < 0.01:
        raise InputError(f"{name} has axes that lie in one plane: correct the orientation in its header.")
    extent = spacing * size
    if extent.max() > LARGEST_EXTENT or np.abs(matrix[:3, 3]).max() > FARTHEST_ORIGIN:
        raise InputError(
            f"{name} is {extent.max() / 1000:.3g} m long and begins {np.abs(matrix[:3, 3]).max() / 1000:.3g} m from "
            "the origin: correct the spacing and the origin in its header; if it is in micrometers, divide both by "
            "1000."
        )


def _check_spacing(spacing: np.ndarray, name: str) -> None:
    low, high = SPACING_RANGE
    if not ((low <= spacing) & (spacing <= high)).all():
        raise InputError(
            f"{name} has voxels of {' x '.join(f'{s:.4g}' for s in spacing)} mm, outside of {low:g} to {high:g} mm: "
            + _spacing_advice(spacing)
        )


def _spacing_advice(spacing: np.ndarray) -> str:
    low, high = SPACING_RANGE
    if spacing.min() > high:
        return "if its header is in micrometers, divide spacing and origin by 1000."
    if spacing.max() < low:
        return (
            "if its header is in meters, multiply spacing and origin by 1000; if the voxels are this small, "
            "multiply those of both images by 1000, and divide the translation that is found."
        )
    unit = "micrometers, divide" if spacing.max() > high else "meters, multiply"
    return (
        f"correct the spacing in its header (if that is in {unit} spacing and origin by 1000), or resample it to "
        "voxels that are more nearly cubes."
    )


def small_notice(matrix: np.ndarray, size: tuple[int, ...], name: str) -> str | None:
    """A sentence about a scan that is suspiciously small; None if it is not; arguments as of :func:`check_geometry`."""
    extent = float((np.linalg.norm(matrix[:3, :3], axis=0) * size).max())
    if extent >= SMALL_EXTENT:
        return None
    return f"{name} is only {extent:.2g} mm large; if its header is in meters, multiply spacing and origin by 1000."


def shear(matrix: np.ndarray) -> float:
    """Largest scalar product of two unit axes of a 4x4 matrix: 0 if they are orthogonal."""
    axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    return float(np.abs(axes.T @ axes - np.eye(3)).max())


def without_empty_axes(image: sitk.Image) -> sitk.Image:
    """A 4D image that holds a single volume, as that volume, and vectors of one number as scalars; other images as they
    are."""
    if image.GetNumberOfComponentsPerPixel() == 1 and image.GetPixelIDTypeAsString().startswith(VECTOR):
        image = sitk.VectorIndexSelectionCast(image, 0)
    if image.GetDimension() > 3 and all(n == 1 for n in image.GetSize()[3:]):
        return sitk.Extract(image, [*image.GetSize()[:3], *[0] * (image.GetDimension() - 3)])
    return image


def difference_of_grids(image: sitk.Image, other: sitk.Image) -> str | None:
    """In what an image does not lie on the grid of another one, to a tenth of a voxel; None if it does."""
    grid, wanted = Grid.of_image(image), Grid.of_image(other)
    if grid.size != wanted.size:
        sizes = ("x".join(map(str, one.size)) for one in (grid, wanted))
        return "has {} voxels and the image {}".format(*sizes)
    apart = np.linalg.norm(grid.corners - wanted.corners, axis=1).max()
    return f"lies up to {apart:.3g} mm off the image" if apart > 0.1 * wanted.spacing.min() else None
