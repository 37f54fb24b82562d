"""Volumes without the slow change of brightness that a coil gives them."""

from __future__ import annotations

from dataclasses import replace

import torch

from .resampling import interpolated
from .smoothing import smooth
from .volume import Volume

SPACING = 4.0  # mm, of the level at which brightness is averaged

DARKEST = 0.25  # of the mean brightness: what is darker all around is not amplified any further
BRIGHT, CLAMP = 0.98, 1.2  # the quantile of the data that becomes 1, and where intensities end
SAMPLES = 200_000


def flattened(volume: Volume, sigma: float) -> Volume:
    """The volume divided by the mean brightness around every voxel.

    The histogram of a shaded scan varies with the position, so mutual information favors a pose that covers one side of
    it.  Whether what is divided out is shading or anatomy does not matter, as long as it is done to both scans.

    Args:
        sigma: mm, deviation of the Gaussian over which brightness is averaged.
    """
    level = volume.resampled(SPACING)
    foreground = (level.mask & level.foreground).float()
    shown = level.data * foreground
    around, share = smooth(torch.stack([shown, foreground]), (sigma / level.grid.spacing).tolist())
    mean = shown.sum() / foreground.sum().clamp(min=1)
    brightness = torch.maximum(around / share.clamp(min=1e-3), DARKEST * mean).clamp(min=1e-6)
    values = volume.data / interpolated(brightness, level.grid, volume.grid)
    top = torch.quantile(some_values(values, volume.mask), BRIGHT).clamp(min=1e-6)
    return replace(volume, data=(values / top).clamp(0, CLAMP) * volume.mask)


def some_values(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """About :data:`SAMPLES` (n,) of the values (k, j, i) inside a mask, evenly spread."""
    if mask.all():
        return values.flatten()[:: max(1, values.numel() // SAMPLES)]
    inside = torch.nonzero(mask.flatten())[:, 0]  # indexing by a mask takes ten times as long
    return values.flatten()[inside[:: max(1, len(inside) // SAMPLES)]]
