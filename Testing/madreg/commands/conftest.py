"""An image as the worker gets it."""

import numpy as np
import pytest

from madreg.image.geometry import Grid


@pytest.fixture
def description(tmp_path):
    """An IMAGE of a command: noise on a lattice of 3 mm."""
    grid = Grid((12, 11, 10), np.diag([3.0, 3.0, 3.0, 1.0]))
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random(grid.shape).astype(np.float32))
    return {"name": "CT", "voxels": str(tmp_path / "a.npy"), "matrix": grid.matrix.tolist(), "mask": None}
