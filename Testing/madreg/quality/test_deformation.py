"""What blocks show of a deformation, and what it counts in the estimated error and the verdict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from madreg.image.geometry import Grid
from madreg.image.transform import Transform
from madreg.quality.blocks import Blocks
from madreg.quality.deformation import SEEN_ANYWAY_MM, deformation_mm
from madreg.quality.motion import Motion
from madreg.quality.quality import Quality
from madreg.quality.shape import Stretch
from madreg.quality.verdict import ALIGNED_MM

IDENTITY = Transform.identity()
STILL = Motion(np.eye(4), 1.0)
NEAR = Quality(IDENTITY, 1.0, 0.7, 0.5, IDENTITY, deformation_mm=0.5)


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


def test_what_right_poses_show_as_well_does_not_count():
    assert (
        replace(NEAR, deformation_mm=SEEN_ANYWAY_MM[True]).error_mm
        == replace(NEAR, deformation_mm=None).error_mm
        == 1.0
    )
    assert replace(NEAR, motion_mm=None).error_mm is None


def test_beyond_that_a_deformation_counts_as_an_error_at_right_angles_to_the_motion():
    two = replace(NEAR, deformation_mm=SEEN_ANYWAY_MM[True] + 0.5)
    assert two.error_by_deformation_mm == pytest.approx(1.5) and two.error_mm == pytest.approx(np.hypot(1, 1.5))
    assert two.with_deformation(2.0) == pytest.approx(2.5)


def test_another_shape_is_not_aligned_and_that_is_said():
    deformed = replace(NEAR, deformation_mm=SEEN_ANYWAY_MM[True] + 1.3)
    assert NEAR.verdict == "aligned" and NEAR.remarks == []
    assert deformed.error_mm > ALIGNED_MM and deformed.verdict == "check"
    assert "differ by about 4 mm" in deformed.remarks[0] and "two patients" in deformed.remarks[0]
    stretched = replace(NEAR, motion_mm=5.0, shape_mm=4.0)
    assert "differ by about 4 mm" in stretched.remarks[0]
    reported = replace(stretched, stretch=Stretch.of(np.diag([1.1, 1.0, 1.0])))
    assert not any("shapes" in remark for remark in reported.remarks)


def test_a_deformation_is_no_failure():
    """Another registration cannot correct it."""
    assert replace(NEAR, deformation_mm=6.0).error_mm > 10 and replace(NEAR, deformation_mm=6.0).verdict == "check"
    assert replace(NEAR, motion_mm=11.0).verdict == "failed"


def test_the_error_is_in_the_unit_of_the_images():
    deformed = replace(NEAR, deformation_mm=SEEN_ANYWAY_MM[True] + 1.0, shape_mm=2.0)
    assert deformed.resized(10).error_mm == pytest.approx(10 * deformed.error_mm)
    assert deformed.resized(10).error_by_deformation_mm == pytest.approx(30.0)
    assert deformed.resized(10).shape_error_mm == pytest.approx(10 * np.hypot(2, 3))
