"""Phantoms: their truth is the place of the same anatomy in them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from madreg.commissioning import phantom as phantoms
from madreg.commissioning.phantom import CHANGES, CONTRASTS, make_phantom
from madreg.commissioning.smooth_displacement import SmoothDisplacement
from madreg.image.geometry import apply
from madreg.image.pair import Pair


@pytest.fixture(scope="module")
def scan(grid_of, make_volume, head):
    return make_volume(head.mr, grid_of("straight"))


@pytest.fixture(scope="module")
def points(scan):
    return Pair(scan, scan).points


@pytest.mark.parametrize("change", CHANGES)
def test_a_phantom_shows_at_the_targets_what_the_scan_shows_at_the_points(scan, points, change, monkeypatch):
    monkeypatch.setattr(phantoms, "acquired", lambda data, rng: data)
    found = make_phantom(scan, points, change, "same", np.random.default_rng(1))
    here, _ = scan.sample(torch.as_tensor(points, dtype=torch.float32))
    there, known = found.volume.sample(torch.as_tensor(found.targets, dtype=torch.float32))
    known = known > 0.99
    assert known.float().mean() > 0.7
    assert np.corrcoef(here[known], there[known])[0, 1] > 0.97
    wrong, _ = found.volume.sample(torch.as_tensor(found.targets + 12.0, dtype=torch.float32))
    assert np.corrcoef(here[known], wrong[known])[0, 1] < 0.8


@pytest.mark.parametrize("change", CHANGES)
def test_the_truth_is_exact_but_for_a_deformation(scan, points, change):
    found = make_phantom(scan, points, change, "same", np.random.default_rng(2))
    left = np.linalg.norm(apply(found.truth, points) - found.targets, axis=1).mean()
    assert (left > 0.3) == (change == "deformed") and left < 12
    lengths = np.linalg.svd(found.truth[:3, :3])[1]
    assert np.allclose(lengths, 1) == (change != "affine")
    assert found.type == ("affine" if change == "affine" else "rigid")


def test_another_contrast_shows_several_tissues_and_is_no_map_of_the_first(scan):
    for seed in range(3):
        drawn = phantoms.in_other_contrast(scan.data, np.random.default_rng(seed))
        assert drawn.shape == scan.data.shape and 0 <= float(drawn.min()) <= float(drawn.max()) <= 1.2
        inside = scan.data > 0.2
        assert torch.histc(drawn[inside], phantoms.LEVELS, 0, 1).max() < 0.7 * inside.sum()


def test_the_same_seed_makes_the_same_phantom(scan, points):
    one, same, other = (make_phantom(scan, points, "rigid", CONTRASTS[1], np.random.default_rng(n)) for n in (3, 3, 4))
    assert torch.equal(one.volume.data, same.volume.data) and np.array_equal(one.truth, same.truth)
    assert not np.allclose(one.truth, other.truth)


def test_a_smooth_displacement_can_be_inverted():
    rng = np.random.default_rng(5)
    points = rng.normal(size=(200, 3)) * 60
    for amplitude in (0.5, 6.0, 50.0):
        warp = SmoothDisplacement(rng, amplitude)
        assert np.allclose(warp.apply(warp.inverse(points)), points, atol=1e-6)
        assert np.linalg.norm(warp.apply(points) - points, axis=1).mean() < 2 * amplitude
