"""The body in the field of view, on a coarse grid."""

import numpy as np
import pytest
import torch

from madreg.image.geometry import Grid
from madreg.image.volume import Volume
from madreg.quality.body import body

RADIUS = 40.0


def ball_in(half: tuple[float, float, float], brightness: float = 1.0) -> Volume:
    """A ball about the origin in a field of view of so many mm to either side."""
    size = tuple(int(mm) + 1 for mm in half)  # 2 mm
    matrix = np.diag([2.0, 2, 2, 1])
    matrix[:3, 3] = -(np.array(size) - 1)
    grid = Grid(size, matrix)
    data = (grid.points().norm(dim=-1) < RADIUS).float() * brightness
    return Volume("ball", data, grid, torch.ones(grid.shape, dtype=torch.bool))


def on_grid(volume: Volume) -> tuple[torch.Tensor, torch.Tensor]:
    """The body, and how far each point lies from the origin, both on a grid of 4 mm that is wider than the volume."""
    grid = volume.grid.widened(6).isotropic(4.0)
    return body(volume, grid), grid.points().norm(dim=-1)


@pytest.mark.parametrize("half", [(60, 60, 60), (46, 60, 42), (50, 44, 60)])
def test_the_air_around_is_no_body_however_near_the_field_of_view_ends(half):
    found, distance = on_grid(ball_in(half))
    assert found[distance < RADIUS - 4].all()
    assert not found[distance > RADIUS + 4].any()


def test_a_body_that_is_cut_off_reaches_to_the_edge():
    volume = ball_in((60, 20, 60))
    found, distance = on_grid(volume)
    points = volume.grid.widened(6).isotropic(4.0).points()
    height = points[..., 1].abs()
    assert found[(distance < RADIUS - 4) & (height <= 20)].all()
    assert not found[height > 22].any()


def test_gaps_belong_to_the_body():
    volume = ball_in((60, 60, 60))
    hollow = volume.grid.points().norm(dim=-1) < 8
    volume.data[hollow] = 0
    found, distance = on_grid(volume)
    assert found[distance < RADIUS - 4].all()


def test_where_no_tissue_stands_out_all_data_count():
    found, _distance = on_grid(ball_in((60, 60, 60), brightness=0.05))
    assert found.float().mean() > 0.4
