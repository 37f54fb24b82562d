"""Scans that go on where they have no data."""

from __future__ import annotations

import numpy as np
import torch

from madreg.image.extension import extended
from madreg.image.geometry import Grid
from madreg.image.volume import Volume


def volume(data: torch.Tensor, mask: torch.Tensor) -> Volume:
    return Volume("scan", data, Grid(tuple(data.shape[::-1]), np.eye(4)), mask)


def test_a_box_of_data_is_repeated_as_the_end_of_a_lattice_is():
    data, mask = torch.rand(8, 9, 10), torch.zeros(8, 9, 10, dtype=torch.bool)
    mask[1:6, 2:8, 3:9] = True
    found = extended(volume(data * mask, mask))
    # the outermost voxels with data are left out
    k, j, i = torch.arange(8).clamp(2, 4), torch.arange(9).clamp(3, 6), torch.arange(10).clamp(4, 7)
    assert torch.equal(found.data, data[k][:, j][:, :, i]) and torch.equal(found.mask, mask)


def test_a_gap_is_filled_from_either_side():
    mask = torch.tensor([1, 1, 1, 0, 0, 0, 1, 1], dtype=torch.bool).expand(3, 3, 8)
    found = extended(volume(torch.arange(8.0).expand(3, 3, 8), mask))
    assert found.data[1, 1].tolist() == [0, 1, 1, 1, 1, 7, 7, 7]


def test_without_a_mask_or_without_data_it_stays():
    data = torch.rand(4, 4, 4)
    for mask in (torch.ones(4, 4, 4, dtype=torch.bool), torch.zeros(4, 4, 4, dtype=torch.bool)):
        assert extended(volume(data, mask)).data is data
