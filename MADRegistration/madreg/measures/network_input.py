"""What a feature network is given of a scan, and where its features then lie."""

from __future__ import annotations

import numpy as np
import torch

from ..image.geometry import Grid
from ..image.sampling import sample_lattice
from ..image.volume import Volume
from ..network.features import level_position


def network_input(volume: Volume, lattice: Grid, pose: np.ndarray | None = None) -> torch.Tensor:
    """Image (1, 1, k, j, i) of a volume on a lattice; beyond the field of view its end is repeated.

    Args:
        pose: 4x4, lattice LPS to volume LPS; the identity if None.
    """
    return sample_lattice(volume.data[None], volume.grid, np.eye(4) if pose is None else pose, lattice)[None]


def input_lattice(wanted: Grid, level: int, multiple: int) -> Grid:
    """The lattice of the image whose features of a level lie on a lattice.

    Args:
        multiple: of the network; for it the lattice is made longer at its ends.
    """
    factor = 2**level
    matrix = wanted.matrix.copy()
    matrix[:3, :3] /= factor
    # voxel n of the level lies between the voxels of the image that make it
    matrix[:3, 3] -= matrix[:3, :3] @ np.full(3, (factor - 1) / 2)
    ni, nj, nk = (-(-factor * count // multiple) * multiple for count in wanted.size)
    return Grid((ni, nj, nk), matrix)


def level_inverse(lattice: Grid, level: int) -> np.ndarray:
    """4x4, LPS mm to continuous index of the features of a level, of an image on a lattice."""
    to_level = np.eye(4)
    to_level[:3, :3] /= 2**level
    to_level[:3, 3] = float(level_position(torch.zeros(1), level))
    return to_level @ lattice.inverse
