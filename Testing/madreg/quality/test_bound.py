"""The bound of the error, and what it is made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from madreg.image.geometry import Grid
from madreg.image.transform import Transform
from madreg.quality.blocks import Blocks
from madreg.quality.bound import bound_of
from madreg.quality.deformation import deformation_mm
from madreg.quality.motion import Motion
from madreg.quality.quality import Quality, basis_of_verdict

IDENTITY = Transform.identity()
STILL = Motion(np.eye(4), 1.0)
CERTAIN = Quality(IDENTITY, 1.0, 0.7, 0.5, IDENTITY, deformation_mm=0.5)


def blocks_that_wish(displacements: np.ndarray, grid: Grid, rng: np.random.Generator, noise: float) -> Blocks:
    """Blocks (n, 3) of which each scores best at its own displacement, mm, and by chance elsewhere."""
    axis = torch.arange(-4, 5) * 4.0
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    at = torch.stack([x, y, z], -1)
    apart = (at - torch.as_tensor(displacements, dtype=torch.float32)[:, None, None, None]).square().sum(-1)
    scores = torch.exp(-apart / 60) + torch.as_tensor(rng.normal(0, noise, apart.shape), dtype=torch.float32)
    count = len(displacements)
    centers = grid.points().reshape(-1, 3)
    return Blocks(4, grid, torch.arange(count), centers, torch.full((count,), 1 / count), scores)


@pytest.fixture(scope="module")
def grid():
    return Grid((8, 8, 8), np.diag([16.0, 16.0, 16.0, 1.0]))


def test_a_deformation_that_neighbors_share_is_seen(grid):
    points = grid.points().reshape(-1, 3).double().numpy()
    wave = 6 * np.sin(2 * np.pi * points[:, :1] / 100) * np.array([0.0, 0.6, 0.8])
    true = np.sqrt((wave**2).sum(1).mean())
    found = deformation_mm(blocks_that_wish(wave, grid, np.random.default_rng(0), 0.1), STILL)
    assert 0.5 * true < found < 1.2 * true


def test_what_every_block_wishes_by_itself_is_chance(grid):
    rng = np.random.default_rng(1)
    alone = rng.normal(0, 3.5, (512, 3))  # as long as the wave above
    none = deformation_mm(blocks_that_wish(np.zeros((512, 3)), grid, rng, 0.1), STILL)
    assert none < 0.5
    assert deformation_mm(blocks_that_wish(alone, grid, rng, 0.1), STILL) < 1.5


def test_a_bound_is_above_the_estimate_and_grows_with_what_it_is_made_of():
    assert CERTAIN.bound_mm == bound_of(1.0, 0.5) > 1.0
    assert replace(CERTAIN, error_mm=2.0).bound_mm > CERTAIN.bound_mm
    assert replace(CERTAIN, deformation_mm=2.0).bound_mm > CERTAIN.bound_mm


@pytest.mark.parametrize("change", [{"margin": -0.1}, {"error_mm": 12.0}, {"error_mm": None, "deformation_mm": None}])
def test_what_failed_or_is_unknown_has_no_bound(change):
    assert replace(CERTAIN, **change).bound_mm is None
    assert basis_of_verdict(replace(CERTAIN, **change))["bound_mm"] is None
    assert basis_of_verdict(None)["bound_mm"] is None


def test_a_mirrored_pair_has_no_bound():
    """Left and right are in each other's place, and that may be seen or not."""
    assert replace(CERTAIN, is_mirrored=True).bound_mm is None


def test_the_bound_is_in_the_unit_of_the_images():
    """A mouse is assessed as if it were as large as a head."""
    assert CERTAIN.resized(0.25).bound_mm == pytest.approx(0.25 * CERTAIN.bound_mm)
