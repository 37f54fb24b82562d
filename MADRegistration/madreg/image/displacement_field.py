"""A transform that is not linear: where each fixed point lies in the moving scan, on a lattice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch

from .geometry import Grid
from .sampling import sample_array
from .volume import Volume


@dataclass(frozen=True, eq=False)
class DisplacementField:
    """A displacement at each point of a lattice, fixed to moving, LPS mm; beyond the lattice nothing moves, as in ITK.

    Attributes:
        displacements: float32 (k, j, i, 3) mm along LPS.
        grid: where they lie; between its samples they are interpolated linearly.

    Raises:
        ValueError: if they are not finite, or not of the lattice's shape.
    """

    displacements: np.ndarray
    grid: Grid

    def __post_init__(self) -> None:
        with np.errstate(over="ignore"):  # what is beyond float32 is not finite then
            displacements = np.array(self.displacements, np.float32)
        if displacements.shape != (*self.grid.shape, 3) or not np.isfinite(displacements).all():
            raise ValueError("a displacement field needs three finite numbers for each point of its lattice")
        displacements.flags.writeable = False
        object.__setattr__(self, "displacements", displacements)

    @classmethod
    def of_image(cls, image: sitk.Image) -> DisplacementField:
        """Of a 3D vector image as ITK has it: fixed to moving, LPS mm."""
        return cls(sitk.GetArrayViewFromImage(image), Grid.of_image(image))

    @classmethod
    def of_itk(cls, transform: sitk.Transform, grid: Grid) -> DisplacementField:
        """Of any 3D ITK transform, at the points of a lattice."""
        lattice = grid.as_image(np.zeros(grid.shape, np.uint8))
        return cls.of_image(
            sitk.TransformToDisplacementField(
                transform,
                sitk.sitkVectorFloat32,
                lattice.GetSize(),
                lattice.GetOrigin(),
                lattice.GetSpacing(),
                lattice.GetDirection(),
            )
        )

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Moving points (..., 3) of fixed points (..., 3), LPS mm."""
        return self._mapped(torch.as_tensor(np.asarray(points, float))).numpy()

    def covers(self, points: np.ndarray) -> float:
        """Share of points (n, 3), LPS mm, that lie on the lattice."""
        return float(self._is_inside(torch.as_tensor(np.asarray(points, float))).double().mean())

    def warped(self, moving: Volume, grid: Grid) -> Volume:
        """The moving volume at the points of a lattice in the fixed world: the field is applied to it."""
        data, there = moving.sample(self._mapped(grid.points(moving.device)))
        return Volume(moving.name, data, grid, there > 0.5)

    def _mapped(self, points: torch.Tensor) -> torch.Tensor:
        field = torch.as_tensor(self.displacements.copy(), device=points.device).permute(3, 0, 1, 2)
        inverse = torch.as_tensor(self.grid.inverse, device=points.device, dtype=points.dtype)
        moves = sample_array(field.to(points.dtype), inverse, points).movedim(0, -1)
        return points + torch.where(self._is_inside(points)[..., None], moves, torch.zeros_like(moves))

    def _is_inside(self, points: torch.Tensor) -> torch.Tensor:
        """Which points (..., 3) lie within half a step of the lattice's samples."""
        index = points @ torch.as_tensor(self.grid.inverse[:3, :3].T.copy(), dtype=points.dtype, device=points.device)
        index = index + torch.as_tensor(self.grid.inverse[:3, 3].copy(), dtype=points.dtype, device=points.device)
        last = torch.as_tensor(self.grid.size, dtype=points.dtype, device=points.device) - 0.5
        return ((index >= -0.5) & (index < last)).all(-1)
