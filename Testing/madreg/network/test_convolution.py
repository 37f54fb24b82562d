"""One image convolved as a batch of its halves is the image convolved."""

from __future__ import annotations

import pytest
import torch

from madreg.network.convolution import in_halves


@pytest.mark.parametrize(
    "shape", [(1, 8, 3, 5, 6), (1, 8, 4, 5, 6), (1, 8, 9, 7, 5), (1, 8, 10, 7, 5), (2, 8, 6, 5, 4)]
)
def test_halves_are_the_whole(shape):
    """Of few planes, too, and of several images."""
    kernel, image = torch.nn.Conv3d(8, 6, 3), torch.rand(shape)
    torch.testing.assert_close(in_halves(kernel, image), kernel(image))


def test_one_image_is_computed_as_two():
    """So that torch takes oneDNN for it."""
    seen = []
    kernel = torch.nn.Conv3d(8, 6, 3)
    kernel.register_forward_hook(lambda _, given, found: seen.append(len(given[0])))
    in_halves(kernel, torch.rand(1, 8, 6, 7, 8))
    in_halves(kernel, torch.rand(3, 8, 6, 7, 8))
    assert seen == [2, 3]
