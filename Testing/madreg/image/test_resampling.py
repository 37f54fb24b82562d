"""Volumes on coarser lattices, and thick slices on finer ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from madreg.image.geometry import Grid
from madreg.image.resampling import resample

SLICES = Grid((12, 12, 30), np.diag([2.0, 2.0, 5.0, 1.0]))


def wave(grid: Grid) -> torch.Tensor:
    """A wave of 30 mm along the third axis, from -1 to 1."""
    return torch.cos(2 * np.pi / 30 * grid.points()[..., 2])


def test_thick_slices_are_interpolated_smoothly():
    """Linear interpolation is off by up to 0.13."""
    values, mask, grid = resample(wave(SLICES), torch.ones(SLICES.shape, dtype=torch.bool), SLICES, 2.0)
    assert grid.spacing == pytest.approx(2.0) and mask.all()
    inside = slice(10, -10)  # beyond, the ends are repeated
    assert float((values - wave(grid))[inside].abs().max()) < 0.05


def test_interpolation_adds_no_intensities_and_no_data():
    edge, mask = torch.zeros(SLICES.shape), torch.ones(SLICES.shape, dtype=torch.bool)
    edge[15:], mask[:10] = 1.0, False
    values, there, grid = resample(edge, mask, SLICES, 2.0)
    assert float(values.min()) == 0 and float(values.max()) == 1
    k = grid.points()[..., 2]
    assert torch.equal(there, k >= 47.5)  # half-way between the slices at 45 and 50 mm
