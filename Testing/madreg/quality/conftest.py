"""Two heads in one place, and slabs of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from madreg.image.volume import Volume


@pytest.fixture(scope="module")
def straight(grid_of, make_volume, head) -> tuple[Volume, Volume, np.ndarray]:
    """A CT and an MR image, of which either may be cut down to a slab, or lie on a couch; and where their middle is."""
    grid = grid_of("straight")
    placed = np.eye(4)
    placed[:3, 3] = grid.center
    return make_volume(head.ct, grid, placed, "CT"), make_volume(head.mr, grid, placed, "MR"), grid.center


@pytest.fixture(scope="session")
def slab_of() -> Callable[..., Volume]:
    """Function: what a volume shows within so many mm across a world axis, that many mm off its middle."""

    def cut(volume: Volume, thickness: float, axis: int = 2, offset: float = 0.0) -> Volume:
        across = volume.grid.points()[..., axis] - float(volume.grid.center[axis]) - offset
        there = across.abs() < thickness / 2
        return replace(volume, data=torch.where(there, volume.data, torch.zeros(())), mask=volume.mask & there)

    return cut
