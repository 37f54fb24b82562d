"""Points drawn from a volume: how evenly they lie."""

from __future__ import annotations

import numpy as np
import torch

from madreg.image.geometry import Grid, apply
from madreg.image.points import sample_points
from madreg.image.volume import Volume


def box(low: tuple[int, ...], high: tuple[int, ...]) -> Volume:
    """An empty volume of which a box of voxels, i j k from one index up to another, has data."""
    mask = torch.zeros(50, 60, 70, dtype=torch.bool)
    mask[low[2] : high[2], low[1] : high[1], low[0] : high[0]] = True
    return Volume("box", torch.zeros(50, 60, 70), Grid((70, 60, 50), np.diag([2.0, 1.0, 3.0, 1.0])), mask)


def indices(volume: Volume, count: int, seed: int) -> np.ndarray:
    points = sample_points(volume, count, seed, volume.mask).numpy()
    return apply(volume.grid.inverse, points)


def test_points_fill_the_voxels_more_evenly_than_chance():
    """64 points are expected in each of 64 parts of the box; drawn by chance, some have 50 and some 80."""
    low, size = np.array([3, 10, 5]), np.array([64, 48, 40])
    volume = box(tuple(low), tuple(low + size))
    for seed in range(3):
        part = ((indices(volume, 4096, seed) - low + 0.5) // (size / 4)).astype(int)
        counts = np.bincount(part @ [16, 4, 1], minlength=64)
        assert len(counts) == 64 and counts.min() >= 54 and counts.max() <= 74


def test_few_voxels_far_apart_are_all_the_points_that_there_are():
    volume = box((0, 0, 0), (2, 2, 2))
    volume.mask[-2:, -2:, -2:] = True
    drawn = indices(volume, 12, 0)
    assert len(drawn) == 12 and volume.mask[tuple(np.round(drawn).astype(int).T[::-1])].all()
    every = indices(volume, 100, 0)
    assert len(every) == 16 and len(np.unique(np.round(every), axis=0)) == 16
