"""The result of a registration: where fixed points lie in the moving scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from .geometry import apply, flip_world, itk_transform, matrix_of_itk, resized, rotation_angle, slicer_to_parent

LEAST_STRETCH = 1e-3
"""Share of a length that counts as a stretch."""


@dataclass(frozen=True, eq=False)
class Transform:
    """A linear transform that maps fixed points to moving points, LPS, mm, which is what ITK resamples with.

    Attributes:
        matrix: (4, 4) float64, its last row is 0, 0, 0, 1.

    Raises:
        ValueError: if the matrix is not 4x4, finite, homogeneous and invertible.
    """

    matrix: np.ndarray

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, float)
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or np.abs(matrix[3] - (0, 0, 0, 1)).max() > 1e-9:
            raise ValueError("a transform needs a finite 4x4 matrix whose last row is 0, 0, 0, 1")
        if np.linalg.det(matrix[:3, :3]) == 0:
            raise ValueError("a transform needs an invertible matrix")
        matrix.flags.writeable = False
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def identity(cls) -> Transform:
        """Every point stays where it is."""
        return cls(np.eye(4))

    @classmethod
    def from_itk(cls, transform: sitk.Transform) -> Transform:
        """Of a linear 3D ITK transform, whatever its centre and class."""
        return cls(matrix_of_itk(transform))

    def to_itk(self) -> sitk.AffineTransform:
        """As ITK's affine transform, centred at the origin."""
        return itk_transform(self.matrix)

    def to_slicer(self) -> np.ndarray:
        """(4, 4) RAS, moving to fixed: Slicer's ``TransformToParent`` that puts the moving volume in place."""
        return slicer_to_parent(self.matrix)

    @property
    def matrix_ras(self) -> np.ndarray:
        """(4, 4), fixed RAS to moving RAS, mm."""
        return flip_world(self.matrix)

    @property
    def linear(self) -> np.ndarray:
        """(3, 3): rotation, scale and shear."""
        return self.matrix[:3, :3]

    @property
    def rotation_degrees(self) -> float:
        """Angle of the nearest rotation."""
        return rotation_angle(self.linear)

    @property
    def mirrors(self) -> bool:
        """Whether it turns an image into its mirror image, as no position of a body does."""
        return bool(np.linalg.det(self.linear) < 0)

    @property
    def type(self) -> str:
        """``rigid``, ``similarity`` or ``affine``: the first that it is, to a tenth of a percent of a length."""
        factors = np.linalg.svd(self.linear, compute_uv=False)
        if self.mirrors or np.ptp(factors) > LEAST_STRETCH * factors.mean():
            return "affine"
        return "rigid" if np.abs(factors - 1).max() <= LEAST_STRETCH else "similarity"

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Moving points (..., 3) of fixed points (..., 3), LPS mm."""
        return apply(self.matrix, points)

    def resized(self, factor: float) -> Transform:
        """The transform once all lengths in both worlds are multiplied by a factor."""
        return Transform(resized(self.matrix, factor))

    def inverse(self) -> Transform:
        """The transform that maps moving points to fixed points."""
        return Transform(np.linalg.inv(self.matrix))

    def after(self, first: Transform) -> Transform:
        """The transform that applies ``first``, then this one."""
        return Transform(self.matrix @ first.matrix)
