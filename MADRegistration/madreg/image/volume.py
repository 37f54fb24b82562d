"""A scan in memory: voxels, where they lie, and which of them hold data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F

from .geometry import Grid, apply
from .morphology import dilate, erode
from .smoothing import COARSENING, along_axes, interpolation_matrix, smoothing_matrix

FEW = 4096  # points that are not worth dividing


def sample_array(
    array: torch.Tensor, inverse: torch.Tensor, points: torch.Tensor, fill: str = "border"
) -> torch.Tensor:
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
    normalised = (index * (2.0 / (size - 1).clamp(min=1)) - 1).to(array.dtype).reshape(-1, 3)
    # on a processor torch divides nothing but a batch among its threads
    parts = torch.get_num_threads() if array.device.type == "cpu" and len(normalised) >= FEW else 1
    count = len(normalised)
    normalised = F.pad(normalised, (0, 0, 0, -count % parts)).view(parts, 1, 1, -1, 3)
    samples = F.grid_sample(
        array.expand(parts, *array.shape), normalised, mode="bilinear", padding_mode=fill, align_corners=True
    )
    return samples.transpose(0, 1).flatten(1)[:, :count].reshape(array.shape[0], *points.shape[:-1])


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
        """The same volume on another torch device; itself, with all that was made of it, if it is there already."""
        if torch.device(device) == self.device:
            return self
        return replace(self, data=self.data.to(device), mask=self.mask.to(device))

    def _inverse(self, like: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.grid.inverse, dtype=like.dtype, device=like.device)

    def sample(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Trilinear samples at world points (..., 3), LPS mm, differentiable in the points.

        Returns:
            Intensities (...), 0 (background) outside the lattice; and how much data is there, from 0 (none) to
            1 (all eight neighbours).
        """
        both = sample_array(self._data_and_mask, self._inverse(points), points, "zeros")
        return both[0], both[1]

    def overlap_fraction(self, points: np.ndarray) -> float:
        """Share of world points (n, 3), LPS mm, that lie where the scan has data."""
        return float(self.sample(torch.as_tensor(points, dtype=torch.float32, device=self.device))[1].mean())

    @cached_property
    def _data_and_mask(self) -> torch.Tensor:
        return torch.stack([self.data, self.mask.to(self.data.dtype)])

    @cached_property
    def foreground(self) -> torch.Tensor:
        """bool (k, j, i): where there is tissue, or tissue within 10 mm; what lies further off tells nothing.

        Falls back on all data where a threshold finds (next to) nothing.
        """
        near = dilate((self.data > 0.1).float(), self._reach(5.0))
        near = erode(near, self._reach(5.0))  # specks of noise are not tissue
        near = dilate(near, self._reach(10.0)) > 0.5
        content = near & self.mask
        return content if content.float().mean() > 0.01 * self.mask.float().mean() else self.mask

    @cached_property
    def thickness(self) -> float:
        """Least extent of the content along the volume's own axes, in mm."""
        filled = (int(self.foreground.any(first).any(second).sum()) for first, second in ((1, 0), (2, 0), (2, 1)))
        return min(count * spacing for count, spacing in zip(filled, self.grid.spacing, strict=True))

    @property
    def radius_of_gyration(self) -> float:
        """Root mean square distance of the content from its middle, in mm: 75 for a head."""
        index = torch.nonzero(self.foreground).flip(1).cpu().double()  # MPS has no float64
        index = (index - index.mean(0)) @ torch.as_tensor(self.grid.matrix[:3, :3]).T
        return float(index.square().sum(1).mean().sqrt())

    @property
    def span(self) -> tuple[float, float]:
        """Least and greatest intensity of the data."""
        data = self.data if self.mask.all() else self.data[self.mask]
        return float(data.min()), float(data.max())

    def _reach(self, radius: float) -> list[int]:
        """``radius`` mm in voxels along k, j, i."""
        return [round(radius / spacing) for spacing in self.grid.spacing[::-1]]

    def center_of_mass(self) -> np.ndarray:
        """World position (3,), LPS mm, of the intensity-weighted mean of the data."""
        weight = (self.data.clamp(min=0) * self.mask).cpu().double()
        total = weight.sum().clamp(min=1e-12)
        index = [
            (weight.sum([a for a in range(3) if a != axis]) @ torch.arange(weight.shape[axis]).to(weight)) / total
            for axis in (2, 1, 0)
        ]
        return apply(self.grid.matrix, np.array([float(n) for n in index]))

    def resampled(self, spacing: float) -> Volume:
        """The volume on an isotropic lattice along its own axes, smoothed first so that nothing aliases; made once.

        Axes that are already coarser than ``spacing`` are interpolated, not sharpened.
        """
        if np.abs(self.grid.spacing - spacing).max() < 1e-6:
            return self
        if spacing not in self._levels:
            self._levels[spacing] = self._resampled(spacing)
        return self._levels[spacing]

    @cached_property
    def _levels(self) -> dict[float, Volume]:
        return {}

    def _resampled(self, spacing: float) -> Volume:
        # what is far too fine is averaged first, for speed; not down to the new spacing, as interpolation between two
        # lattices of nearly the same spacing blurs in waves that look like edges
        source = self._binned(np.maximum(np.floor(spacing / (2 * self.grid.spacing) + 1e-3).astype(int), 1))
        grid = self.grid.isotropic(spacing)
        sigma_mm = COARSENING * np.sqrt(np.maximum(spacing**2 - source.grid.spacing**2, 0))
        index = apply(source.grid.inverse @ grid.matrix, np.arange(max(grid.size))[:, None].repeat(3, 1))
        between = [
            interpolation_matrix(old, index[:new, axis])
            for axis, (old, new) in enumerate(zip(source.grid.size, grid.size, strict=True))
        ]
        smoothed = [
            matrix @ smoothing_matrix(n, sigma)
            for matrix, n, sigma in zip(between, source.grid.size, sigma_mm / source.grid.spacing, strict=True)
        ]
        values = along_axes(source.data, smoothed)
        full = bool(source.mask.all())
        mask = torch.ones_like(values) if full else along_axes(source.mask.to(values.dtype), between)
        return Volume(self.name, values, grid, mask > 0.5)

    def _binned(self, factors: np.ndarray) -> Volume:
        """Means of blocks of whole voxels along i, j, k; what is left over at the far end is dropped."""
        factors = np.where(np.array(self.grid.size) // factors >= 2, factors, 1)
        if (factors == 1).all():
            return self
        kernel = [int(n) for n in factors[::-1]]
        data = F.avg_pool3d(self.data[None, None], kernel)[0, 0]
        mask = F.avg_pool3d(self.mask[None, None].to(self.data.dtype), kernel)[0, 0] > 0.5
        matrix = self.grid.matrix.copy()
        matrix[:3, 3] = apply(self.grid.matrix, (factors - 1) / 2)
        matrix[:3, :3] = self.grid.matrix[:3, :3] * factors
        nk, nj, ni = data.shape
        return Volume(self.name, data, Grid((ni, nj, nk), matrix), mask)
