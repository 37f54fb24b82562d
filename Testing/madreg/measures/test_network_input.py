"""Where the features of a network lie, and what it is given there."""

from __future__ import annotations

import numpy as np
import pytest

from madreg.image.geometry import Grid, about, rotation
from madreg.measures.network_input import input_lattice, level_inverse, network_input


@pytest.mark.parametrize("level", [0, 1, 2])
def test_features_lie_on_the_lattice_that_was_wanted(odd_grids, level):
    for wanted in odd_grids.values():
        lattice = input_lattice(wanted, level, 16)
        assert np.allclose(level_inverse(lattice, level) @ wanted.matrix, np.eye(4))
        assert all(
            n % 16 == 0 and 2**level * m <= n < 2**level * m + 16
            for n, m in zip(lattice.size, wanted.size, strict=True)
        )


def test_a_volume_is_seen_from_a_pose_and_goes_on_beyond_its_end(blob_volume, odd_grids):
    volume = blob_volume(list(odd_grids.values())[1])
    pose = about(volume.grid.center, rotation(np.array([0, 1, 1]), 15), np.array([3.0, 0.0, -2.0]))
    lattice = Grid(volume.grid.size, np.linalg.inv(pose) @ volume.grid.matrix)
    seen = network_input(volume, lattice, pose)
    assert seen.shape == (1, 1, *volume.grid.shape)
    assert (seen[0, 0] - volume.data).abs().max() < 1e-3
    wider = network_input(volume, lattice.widened(2), pose)[0, 0]
    assert (wider[0, 2:-2, 2:-2] - volume.data[0]).abs().max() < 1e-3
