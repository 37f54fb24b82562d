"""Highest and lowest values around every voxel, beside torch's pooling."""

import pytest
import torch
import torch.nn.functional as F

from madreg.image.morphology import dilate, erode


@pytest.mark.parametrize("reach", [(0, 0, 0), (1, 1, 1), (3, 0, 2), (5, 4, 3)])
def test_it_is_what_pooling_finds(reach):
    array = torch.rand(11, 9, 8, generator=torch.Generator().manual_seed(1))

    def pooled(values: torch.Tensor) -> torch.Tensor:
        return F.max_pool3d(values[None, None], [2 * r + 1 for r in reach], 1, list(reach))[0, 0]

    assert torch.equal(dilate(array, reach), pooled(array))
    assert torch.equal(erode(array, reach), -pooled(-array))


def test_a_reach_beyond_the_array_sees_all_of_it():
    array = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(2))
    assert (dilate(array, (20, 20, 20)) == array.max()).all()
    assert (erode(array, (20, 20, 20)) == array.min()).all()
