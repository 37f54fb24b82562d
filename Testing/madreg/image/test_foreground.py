"""The ends of the rows of a foreground."""

from __future__ import annotations

import numpy as np
import torch

from madreg.image.foreground import row_ends


def test_ends_of_rows_reach_as_far_as_all_voxels():
    """In any direction; of an ellipsoid with a hole, and a voxel by itself."""
    k, j, i = np.meshgrid(*(np.linspace(-1, 1, n) for n in (14, 22, 30)), indexing="ij")
    radius = np.sqrt(k**2 + j**2 + (i - 0.1) ** 2)
    there = (radius < 0.8) & (radius > 0.3)
    there[1, 2, 27] = True
    ends, every = row_ends(torch.from_numpy(there)), np.argwhere(there)[:, ::-1]
    assert len(ends) < 0.5 * len(every)
    directions = np.random.default_rng(0).normal(size=(50, 3))
    np.testing.assert_array_equal((ends @ directions.T).max(0), (every @ directions.T).max(0))


def test_nothing_has_no_ends():
    assert row_ends(torch.zeros(3, 4, 5, dtype=torch.bool)).shape == (0, 3)
