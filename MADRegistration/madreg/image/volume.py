"""A scan in memory: voxels, where they lie, and which of them hold data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from .foreground import near_tissue
from .geometry import Grid, apply
from .resampling import resample
from .sampling import interleaved, sample_array, sample_moved

FINEST = 2.0  # mm; nothing is computed at a finer resolution


@dataclass(frozen=True, eq=False)
class _Foreground:
    """The foreground of a volume, looked for when it is asked for.

    It has the arrays of the volume, not the volume: a volume has its levels, and a level that had its volume would
    keep both in memory until Python looks for reference cycles.

    Attributes:
        data, mask, grid: of the volume.
        source: of the volume of which this one is a coarser level; None if it is none.
    """

    data: torch.Tensor
    mask: torch.Tensor
    grid: Grid
    source: _Foreground | None = None

    def to(self, device: torch.device | str) -> _Foreground:
        """The same on another torch device."""
        source = None if self.source is None else self.source.to(device)
        return replace(self, data=self.data.to(device), mask=self.mask.to(device), source=source)

    @cached_property
    def array(self) -> torch.Tensor:
        """See :attr:`Volume.foreground`."""
        if self.source is None:
            found = near_tissue(self.data, self.grid.spacing)
        else:
            there = self.source.array.to(self.data.dtype)[None]
            found = sample_array(there, self.source.grid.inverse, self.grid.points(self.data.device))[0] > 0.5
        found = found & self.mask
        return found if found.float().mean() > 0.01 * self.mask.float().mean() else self.mask


@dataclass(frozen=True)
class Volume:
    """A scan ready to be registered.

    Attributes:
        name: what to call it in a message to the user.
        data: float32 tensor (k, j, i), finite everywhere.  Intensities are normalised without assuming a modality:
            0 is the background, 1 about the brightest tissue (see :func:`madreg.io.intensity.normalise`).
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
        moved = replace(self, data=self.data.to(device), mask=self.mask.to(device))
        source = self._foreground.source
        return moved if source is None else moved._level_of(source.to(device))

    def resized(self, factor: float) -> Volume:
        """The volume once all lengths in the world are multiplied by a factor."""
        return self if factor == 1 else replace(self, grid=self.grid.resized(factor))

    def sample(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Trilinear samples at world points (..., 3), LPS mm, differentiable in the points.

        Returns:
            Intensities (...), 0 (background) outside the lattice; and from 0 to 1 how many of 8 neighbours have data.
        """
        both = sample_array(self.data_and_mask, self.grid.inverse, points, "zeros")
        return both[0], both[1]

    def sample_moved(self, matrices: torch.Tensor, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """:meth:`sample` at points (N, 3), fixed LPS mm, under matrices (B, 4, 4): both (B, N)."""
        both = sample_moved(self.data_and_mask, self.grid, matrices, points)
        return both[0], both[1]

    def overlap_fraction(self, points: np.ndarray) -> float:
        """Share of world points (n, 3), LPS mm, that lie where the scan has data."""
        return float(self.sample(torch.as_tensor(points, dtype=torch.float32, device=self.device))[1].mean())

    @cached_property
    def data_and_mask(self) -> torch.Tensor:
        """(2, k, j, i): intensities, and 1 where there is data."""
        return interleaved([self.data, self.mask.to(self.data.dtype)])

    @property
    def foreground(self) -> torch.Tensor:
        """bool (k, j, i): where there is tissue, or tissue within 10 mm; beyond is background.

        It is looked for once a scan, at :data:`FINEST`, and taken from there to all coarser levels.  Falls back on all
        data where a threshold finds (next to) nothing.
        """
        return self._foreground.array

    @cached_property
    def _foreground(self) -> _Foreground:
        return _Foreground(self.data, self.mask, self.grid)

    @cached_property
    def thickness(self) -> float:
        """Least extent of the foreground along the volume's own axes, in mm."""
        filled = (int(self.foreground.any(first).any(second).sum()) for first, second in ((1, 0), (2, 0), (2, 1)))
        return min(count * spacing for count, spacing in zip(filled, self.grid.spacing, strict=True))

    @property
    def radius_of_gyration(self) -> float:
        """Root mean square distance of the foreground from its middle, in mm: 75 for a head."""
        index = torch.nonzero(self.foreground).flip(1).cpu().double()  # MPS has no float64
        index = (index - index.mean(0)) @ torch.as_tensor(self.grid.matrix[:3, :3]).T
        return float(index.square().sum(1).mean().sqrt())

    @property
    def span(self) -> tuple[float, float]:
        """Least and greatest intensity of the data."""
        data = self.data if self.mask.all() else self.data[self.mask]
        return float(data.min()), float(data.max())

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
            data, mask, grid = resample(self.data, self.mask, self.grid, spacing)
            level = Volume(self.name, data, grid, mask)
            is_coarse = self.grid.spacing.max() >= FINEST - 1e-6
            self._levels[spacing] = level._level_of(self._foreground) if is_coarse else level
        return self._levels[spacing]

    def _level_of(self, source: _Foreground) -> Volume:
        """This volume, as a coarser level of another; what is replaced in it makes it a volume of its own."""
        object.__setattr__(self, "_foreground", _Foreground(self.data, self.mask, self.grid, source))
        return self

    @cached_property
    def _levels(self) -> dict[float, Volume]:
        return {}
