"""World coordinates and lattices: all conventions of geometry.

Everything in ``madreg`` is computed in ITK's world: LPS (x to the Left, y to Posterior, z Superior), millimetres.
Points are rows of an array ``(..., 3)`` in x, y, z order.  An index is ``(i, j, k)`` with i fastest, as in ITK and
VTK; a voxel array is ``(k, j, i)``, as SimpleITK and Slicer hand it to numpy.  A transform is a 4x4 matrix that maps
*fixed* points to *moving* points, which is what ITK resamples with.

Slicer's world is RAS and its ``TransformToParent`` maps the other way, so for Slicer
``toParent = inv(F @ T @ F)`` with ``F = diag(-1, -1, 1, 1)``: see :func:`slicer_to_parent`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk

if TYPE_CHECKING:  # geometry is used inside Slicer, where torch may not be installed yet
    import torch

FLIP_LPS_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def flip_world(matrix: np.ndarray) -> np.ndarray:
    """Express a 4x4 world-to-world matrix in RAS when it is in LPS, and the reverse (it is its own inverse)."""
    return FLIP_LPS_RAS @ np.asarray(matrix, float) @ FLIP_LPS_RAS


def slicer_to_parent(fixed_to_moving_lps: np.ndarray) -> np.ndarray:
    """4x4 RAS matrix for ``vtkMRMLTransformNode.SetMatrixTransformToParent`` that moves the moving volume in place."""
    return np.linalg.inv(flip_world(fixed_to_moving_lps))


def fixed_to_moving(to_parent_ras: np.ndarray) -> np.ndarray:
    """Inverse of :func:`slicer_to_parent`: 4x4 LPS matrix, fixed points to moving points."""
    return flip_world(np.linalg.inv(np.asarray(to_parent_ras, float)))


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points ``(..., 3)`` by a 4x4 matrix."""
    matrix = np.asarray(matrix, float)
    return np.asarray(points) @ matrix[:3, :3].T + matrix[:3, 3]


def about(center: np.ndarray, linear: np.ndarray, translation: np.ndarray | None = None) -> np.ndarray:
    """4x4 matrix ``x -> linear @ (x - center) + center + translation``."""
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = np.asarray(center) - linear @ np.asarray(center)
    if translation is not None:
        matrix[:3, 3] += translation
    return matrix


def resized(matrix: np.ndarray, factor: float) -> np.ndarray:
    """The 4x4 matrix between two worlds once all lengths in both are multiplied by a factor."""
    matrix = np.array(matrix, float)
    matrix[:3, 3] *= factor
    return matrix


def mean_displacement(first: np.ndarray, second: np.ndarray, points: np.ndarray) -> float:
    """Mean distance in mm between where two 4x4 matrices send ``points`` (the target registration error, TRE)."""
    return float(np.linalg.norm(apply(first, points) - apply(second, points), axis=-1).mean())


def quaternion_rotation(w: Any, x: Any, y: Any, z: Any) -> list[Any]:
    """The nine elements, row by row, of the rotation matrices of unit quaternions: arrays of numpy or torch (...)."""
    return [
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip


def rotation(axis: np.ndarray, degrees: float) -> np.ndarray:
    """(3, 3) rotation about an axis (3,) of any length, by Rodrigues' formula."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.deg2rad(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def nearest_orthogonal(linear: np.ndarray) -> np.ndarray:
    """The orthogonal matrix nearest to a 3x3 matrix (polar decomposition), a reflection where that is one."""
    u, _, vt = np.linalg.svd(linear)
    return u @ vt


def rotation_angle(linear: np.ndarray) -> float:
    """Angle in degrees of the rotation nearest to a 3x3 matrix (polar decomposition)."""
    u, _, vt = np.linalg.svd(linear)
    rotation = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
    return float(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))


@dataclass(frozen=True)
class Grid:
    """A regular lattice in the world.

    Attributes:
        size: number of samples along i, j, k.
        matrix: 4x4, index (i, j, k) to LPS mm; oblique, anisotropic and left-handed lattices are all fine.
    """

    size: tuple[int, int, int]
    matrix: np.ndarray

    @classmethod
    def of_image(cls, image: sitk.Image) -> Grid:
        """Lattice of a 3D SimpleITK image."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) @ np.diag(image.GetSpacing())
        matrix[:3, 3] = image.GetOrigin()
        return cls(tuple(image.GetSize()), matrix)

    @classmethod
    def covering(cls, low: np.ndarray, high: np.ndarray, spacing: float, axes: np.ndarray | None = None) -> Grid:
        """Isotropic lattice whose samples span the box ``low`` to ``high``, in mm along ``axes``.

        Args:
            axes: (3, 3), a unit vector a column, at right angles; the world's axes by default.
        """
        low, high = np.asarray(low, float), np.asarray(high, float)
        size = np.maximum(np.ceil((high - low) / spacing - 1e-6).astype(int) + 1, 2)
        axes = np.eye(3) if axes is None else axes
        matrix = np.eye(4)
        matrix[:3, :3] = spacing * axes
        matrix[:3, 3] = axes @ ((low + high) / 2 - spacing * (size - 1) / 2)
        ni, nj, nk = size.tolist()
        return cls((ni, nj, nk), matrix)

    def liters(self, voxels: float) -> float:
        """Of so many voxels."""
        return voxels * float(self.spacing.prod()) / 1e6

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (k, j, i) of a voxel array on this lattice."""
        return self.size[::-1]

    @property
    def spacing(self) -> np.ndarray:
        """Distance in mm between neighbours along i, j, k."""
        return np.linalg.norm(self.matrix[:3, :3], axis=0)

    @property
    def axes(self) -> np.ndarray:
        """(3, 3), a column each: the nearest unit vectors at right angles to the directions of i, j, k."""
        return nearest_orthogonal(self.matrix[:3, :3] / self.spacing)

    @cached_property
    def inverse(self) -> np.ndarray:
        """4x4, LPS mm to continuous index."""
        return np.linalg.inv(self.matrix)

    @property
    def center(self) -> np.ndarray:
        """World position (3,) of the middle of the lattice."""
        return apply(self.matrix, (np.array(self.size) - 1) / 2)

    @property
    def corners(self) -> np.ndarray:
        """World positions (8, 3) of the corner samples."""
        bits = np.array([[(n >> axis) & 1 for axis in range(3)] for n in range(8)])
        return apply(self.matrix, bits * (np.array(self.size) - 1))

    def isotropic(self, spacing: float) -> Grid:
        """Lattice with the same axes and extent, resampled to one spacing in mm along every axis."""
        extent = self.spacing * (np.array(self.size) - 1)
        size = np.maximum(np.round(extent / spacing).astype(int) + 1, 2)
        matrix = self.matrix.copy()
        matrix[:3, :3] = self.matrix[:3, :3] / self.spacing * spacing
        matrix[:3, 3] = self.center - matrix[:3, :3] @ ((size - 1) / 2)
        ni, nj, nk = size.tolist()
        return Grid((ni, nj, nk), matrix)

    def resized(self, factor: float) -> Grid:
        """The lattice once all lengths in the world are multiplied by a factor."""
        return Grid(self.size, np.diag([factor, factor, factor, 1.0]) @ self.matrix)

    def widened(self, samples: int) -> Grid:
        """Lattice with so many more samples on every side."""
        matrix = self.matrix.copy()
        matrix[:3, 3] = apply(self.matrix, np.full(3, -float(samples)))
        ni, nj, nk = self.size
        return Grid((ni + 2 * samples, nj + 2 * samples, nk + 2 * samples), matrix)

    def shifted(self, voxels: float) -> Grid:
        """Lattice as large, so many voxels further along each axis."""
        matrix = self.matrix.copy()
        matrix[:3, 3] = apply(self.matrix, np.full(3, voxels))
        return Grid(self.size, matrix)

    def points(self, device: torch.device | str = "cpu") -> torch.Tensor:
        """World positions of all samples: float32 tensor (k, j, i, 3), LPS mm."""
        import torch

        matrix = torch.as_tensor(self.matrix, dtype=torch.float32, device=device)
        axes = [torch.arange(n, dtype=torch.float32, device=device) for n in self.size]
        i, j, k = (axes[a].view([-1 if a == 2 - d else 1 for d in range(3)]) for a in range(3))
        first, second, third, origin = matrix[:3].T
        return i[..., None] * first + j[..., None] * second + k[..., None] * third + origin

    def as_image(self, array: np.ndarray) -> sitk.Image:
        """SimpleITK image of a voxel array (k, j, i) on this lattice."""
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(self.spacing.tolist())
        image.SetDirection((self.matrix[:3, :3] / self.spacing).ravel().tolist())
        image.SetOrigin(self.matrix[:3, 3].tolist())
        return image


def itk_transform(fixed_to_moving_lps: np.ndarray) -> sitk.AffineTransform:
    """The 4x4 matrix as an ITK transform, centred at the origin."""
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(fixed_to_moving_lps[:3, :3].ravel().tolist())
    transform.SetTranslation(fixed_to_moving_lps[:3, 3].tolist())
    return transform


def matrix_of_itk(transform: sitk.Transform) -> np.ndarray:
    """4x4 matrix of a linear ITK transform, whatever its centre and class."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    matrix = np.eye(4)
    matrix[:3, 3] = origin
    for axis in range(3):
        unit = np.zeros(3)
        unit[axis] = 1.0
        matrix[:3, axis] = np.array(transform.TransformPoint(unit.tolist())) - origin
    return matrix
