"""Two heads in one place, and slabs of them."""

from __future__ import annotations

import numpy as np
import pytest

from madreg.image.pair import Pair
from madreg.image.volume import Volume


@pytest.fixture(scope="module")
def straight(grid_of, make_volume, head) -> tuple[Volume, Volume, np.ndarray]:
    """A CT and an MR image, of which either may be cut down to a slab, or lie on a couch; and where their middle is."""
    grid = grid_of("straight")
    placed = np.eye(4)
    placed[:3, 3] = grid.center
    return make_volume(head.ct, grid, placed, "CT"), make_volume(head.mr, grid, placed, "MR"), grid.center


@pytest.fixture(scope="module", params=["fixed", pytest.param("moving", marks=pytest.mark.slow)])
def slab_pair(request, ct_and_mr, slab_of) -> tuple[Pair, np.ndarray]:
    """A CT and an MR image on oblique and left-handed lattices, one of them a slab of 40 mm, and the true pose."""
    fixed, moving, truth = ct_and_mr("oblique", "left-handed", (1, -2, 0.5), 50)
    if request.param == "fixed":
        return Pair(slab_of(fixed, 40.0), moving), truth
    return Pair(fixed, slab_of(moving, 40.0)), truth
