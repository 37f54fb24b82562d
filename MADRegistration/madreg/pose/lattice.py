"""The lattice of all translations of one sampled box over another, as an FFT correlates them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.fft import next_fast_len

from ..image.points import lattice_points

APART = 24.0  # mm between two translations of one rotation


class Lattice:
    """All translations of a moving box over a fixed one, both sampled along the same axes.

    Args:
        axes: (3, 3), LPS, a unit vector a column: along i, j, k.
        spacing: mm.
        halves: voxels along k, j, i from the middle to either end, of the fixed and of the moving box.

    Attributes:
        size: translations along k, j, i, for which an FFT is fast.
        usable: bool (k, j, i): where the boxes have at least half of the smaller one in common along each axis.
    """

    def __init__(
        self,
        axes: np.ndarray,
        spacing: float,
        halves: tuple[tuple[int, ...], tuple[int, ...]],
        device: torch.device,
    ) -> None:
        self.axes, self.spacing, self.halves, self.device = axes, spacing, halves, device
        reach = [max(both) for both in zip(*halves, strict=True)]  # beyond, less than half is in common
        self.size = tuple(
            next_fast_len(fixed + moving + far + 1, real=True)
            for fixed, moving, far in zip(*halves, reach, strict=True)
        )
        # Fixed sample a meets moving sample a - s; in mm, fixed offset x meets moving offset x - d, d = s - origin.
        self.shifts = [
            (torch.arange(length, device=device) - (fixed - moving) + length // 2) % length - length // 2
            for length, fixed, moving in zip(self.size, *halves, strict=True)
        ]
        near = [shifts.abs() <= far for shifts, far in zip(self.shifts, reach, strict=True)]
        self.usable = near[0][:, None, None] & near[1][None, :, None] & near[2][None, None, :]

    def offsets(self, halves: tuple[int, ...], spacing: float | None = None) -> torch.Tensor:
        """(k, j, i, 3) LPS mm from the middle of a box along the axes, ``2 half + 1`` samples along each."""
        spacing = self.spacing if spacing is None else spacing
        k, j, i = (torch.arange(-half, half + 1, dtype=torch.float32, device=self.device) * spacing for half in halves)
        return lattice_points(k, j, i) @ torch.as_tensor(self.axes.T, dtype=torch.float32, device=self.device)

    def translation(self, place: list[int]) -> np.ndarray:
        """(3,) LPS mm: how far a place (k, j, i) moves the middle of the moving box from that of the fixed one."""
        shift = [float(shifts[n]) for shifts, n in zip(self.shifts, place, strict=True)]
        return self.axes @ np.array(shift[::-1]) * self.spacing

    def peaks(self, values: torch.Tensor, count: int) -> Iterator[tuple[list[int], float]]:
        """Places (k, j, i) of the highest of some values (k, j, i), which are overwritten, at least :data:`APART` from
        each other, and these values."""
        around = int(np.ceil(APART / self.spacing))
        for _ in range(count):
            score, index = values.flatten().max(0)
            if torch.isinf(score):
                return
            place = [int(n) for n in np.unravel_index(int(index), values.shape)]
            yield place, float(score)
            near = [
                torch.arange(n - around, n + around + 1, device=values.device) % length
                for n, length in zip(place, self.size, strict=True)
            ]
            values[near[0][:, None, None], near[1][None, :, None], near[2][None, None, :]] = -torch.inf
