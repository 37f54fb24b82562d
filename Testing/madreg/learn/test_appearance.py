"""Random appearances change what anatomy looks like, not where it is: edges are measured in voxels."""

import numpy as np
import pytest
import torch

from madreg.learn.appearance import Appearance, random_appearance, random_convolutions, random_kernel
from madreg_benchmark.studies import edges
from madreg_benchmark.studies.edges import EDGE, edge_position, two_halves

MANY = 150


def shifts(make) -> np.ndarray:
    """Displacement in voxels of the edge in many appearances, nearly all of which still show it."""
    found = edges.shifts(make, MANY)
    assert len(found) > 0.8 * MANY
    return found


def test_the_edge_lies_where_it_was_put():
    assert abs(edge_position(two_halves()[4, 4].numpy()) - EDGE) < 0.05


@pytest.mark.parametrize(("layers", "farthest"), [(1, 0.5), (2, 0.6), (3, 0.75)])
def test_edges_stay_where_they_were(layers, farthest):
    """In voxels.  No layer shifts an edge; each may widen it, and what is clamped then ends on one of its flanks."""
    found = shifts(lambda image, rng: random_convolutions(image, rng, Appearance(layers=layers)))
    assert np.median(np.abs(found)) < 0.25
    assert abs(found.mean()) < 0.1
    assert np.quantile(np.abs(found), 0.9) < farthest


def test_the_edge_measurement_sees_one_voxel():
    found = shifts(lambda image, rng: random_convolutions(image, rng).roll(1, 2))
    assert 0.75 < np.median(found) < 1.25


def test_kernels_are_their_own_point_reflection():
    for size in (1, 3, 5):
        kernel = random_kernel(size, 3, 2, np.random.default_rng(size))
        assert kernel.shape == (3, 2, size, size, size)
        assert torch.equal(kernel, kernel.flip(2, 3, 4))
        assert len(kernel.unique()) > size


def test_appearances_differ_and_are_repeatable():
    image, head = two_halves(), torch.ones(8, 8, 24)
    first = [random_appearance(image, head, np.random.default_rng(seed)) for seed in range(6)]
    again = [random_appearance(image, head, np.random.default_rng(seed)) for seed in range(6)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert all((a - b).abs().mean() > 0.02 for n, a in enumerate(first) for b in first[:n])


def test_contrast_is_sometimes_reversed():
    image = two_halves()
    rising = [
        float(x[:, :, 18:].mean() - x[:, :, :6].mean()) > 0
        for x in (random_convolutions(image, np.random.default_rng(seed)) for seed in range(60))
    ]
    assert 10 < sum(rising) < 50


def test_intensities_are_normalised_and_the_air_can_be_dark():
    head = torch.zeros(16, 16, 16)
    head[4:12, 4:12, 4:12] = 1
    image = head * torch.rand(16, 16, 16, generator=torch.Generator().manual_seed(0))
    settings = Appearance(dark_background=1.0, acquisition=False)
    for seed in range(20):
        x = random_appearance(image, head, np.random.default_rng(seed), settings)
        assert x.shape == image.shape and bool(torch.isfinite(x).all())
        assert float(x.min()) >= 0 and float(x.max()) <= 1.2
        assert float(x[head == 0].max()) < 1e-6
        assert float(x[head > 0].max()) > 0.5


def test_without_layers_the_image_is_left_alone():
    image = two_halves()
    same = random_appearance(image, torch.ones_like(image), np.random.default_rng(0), Appearance(0, acquisition=False))
    assert torch.equal(same, image)


def test_a_few_appearances_are_shared_by_all_patches():
    image, head = two_halves(), torch.ones(8, 8, 24)
    settings = Appearance(different=3, acquisition=False)
    found = [random_appearance(image, head, np.random.default_rng(seed), settings) for seed in range(30)]
    kinds = {x.numpy().tobytes() for x in found}
    assert len(kinds) == 3
    other = random_appearance(image * 0.9, head, np.random.default_rng(0), settings)
    assert not torch.equal(other, found[0])
