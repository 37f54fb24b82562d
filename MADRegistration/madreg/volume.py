"""A scan in memory: voxels, where they lie, and which of them hold data."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from .geometry import Grid, apply


def sample_array(array: torch.Tensor, inverse: torch.Tensor, points: torch.Tensor, fill: str = "border") -> torch.Tensor:
    """Trilinear samples of a voxel array at world points, differentiable in the points.

    Args:
        array: (C, k, j, i).
        inverse: 4x4 matrix, LPS mm to continuous index (i, j, k).
        points: (..., 3), LPS mm.
        fill: ``border`` repeats the edge outside the lattice, ``zeros`` gives 0 there.

    Returns:
        (C, ...) samples.
    """
    inverse = inverse.to(points)
    index = points @ inverse[:3, :3].T + inverse[:3, 3]
    size = torch.tensor(array.shape[:0:-1], dtype=points.dtype, device=points.device)
    normalised = index * (2.0 / (size - 1).clamp(min=1)) - 1
    flat = normalised.reshape(1, 1, 1, -1, 3)
    samples = F.grid_sample(array[None], flat.to(array.dtype), mode="bilinear", padding_mode=fill, align_corners=True)
    return samples.reshape(array.shape[0], *points.shape[:-1])


@dataclass(frozen=True)
class Volume:
    """A scan ready to be registered.

    Attributes:
        name: what to call it in a message to the user.
        data: float32 tensor (k, j, i), finite everywhere.  Intensities are normalised without assuming a modality:
            0 is the background, 1 about the brightest tissue (see ``reading.normalise``).
        grid: where the voxels lie.
        mask: bool tensor (k, j, i): where the scan has data (False: not finite, padding, or outside the user's mask).
    """

    name: str
    data: torch.Tensor
    grid: Grid
    mask: torch.Tensor

    @property
    def device(self) -> torch.device:
        return self.data.device

    def to(self, device: torch.device | str) -> Volume:
        """The same volume on another torch device."""
        return replace(self, data=self.data.to(device), mask=self.mask.to(device))

    def _inverse(self, like: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.grid.inverse, dtype=like.dtype, device=like.device)

    def sample(self, points: torch.Tensor) -> torch.Tensor:
        """Intensities (...) at world points (..., 3); 0, the background, outside the lattice."""
        return sample_array(self.data[None], self._inverse(points), points, "zeros")[0]

    def inside(self, points: torch.Tensor) -> torch.Tensor:
        """How much data there is at world points: (...) from 0 (none) to 1 (all eight neighbours)."""
        return sample_array(self.mask[None].to(self.data.dtype), self._inverse(points), points, "zeros")[0]

    def center_of_mass(self) -> np.ndarray:
        """World position (3,), LPS mm, of the intensity-weighted mean of the data."""
        weight = (self.data.clamp(min=0) * self.mask).double()
        total = weight.sum().clamp(min=1e-12)
        index = [
            (weight.sum([a for a in range(3) if a != axis]) @ torch.arange(weight.shape[axis]).to(weight)) / total
            for axis in (2, 1, 0)
        ]
        return apply(self.grid.matrix, np.array([float(n) for n in index]))

    def resampled(self, spacing: float) -> Volume:
        """The volume on an isotropic lattice along its own axes, smoothed first so that nothing aliases.

        Axes that are already coarser than ``spacing`` are interpolated, not sharpened.
        """
        from .smoothing import smooth

        grid = self.grid.isotropic(spacing)
        # Gaussian whose half-maximum width makes up the difference between the two sampling kernels
        sigma_mm = np.sqrt(np.maximum(spacing**2 - self.grid.spacing**2, 0)) * 0.42
        data = smooth(self.data, sigma_mm / self.grid.spacing)
        points = grid.points(self.device)
        values = sample_array(data[None], self._inverse(points), points)[0]
        mask = sample_array(self.mask[None].float(), self._inverse(points), points)[0] > 0.5
        return Volume(self.name, values, grid, mask)
