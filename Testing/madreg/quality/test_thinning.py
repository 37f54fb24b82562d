"""A share of the points of a lattice is evenly spread."""

import numpy as np
import pytest
import torch

from madreg.quality.thinning import every_nth

SHAPE = (15, 16, 17)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 14])
def test_every_nth_point_is_kept_everywhere(n):
    kept = every_nth(torch.arange(np.prod(SHAPE)), SHAPE, n).reshape(SHAPE)
    for corner in (kept[:8, :8, :8], kept[-8:, -8:, -8:]):
        assert float(corner.float().mean()) == pytest.approx(1 / n, rel=0.15)
    points = torch.nonzero(kept).double()
    apart = torch.cdist(points, points) + 99 * torch.eye(len(points))
    # no lattice of that density does better than by the cube root of n and 12 % (Hermite)
    assert float(apart.min()) >= 0.75 * n ** (1 / 3)


def test_some_of_the_points_are_chosen_as_of_all():
    some = torch.arange(3, np.prod(SHAPE), 7)
    assert torch.equal(every_nth(some, SHAPE, 4), every_nth(torch.arange(np.prod(SHAPE)), SHAPE, 4)[some])
