import numpy as np
import pytest
import SimpleITK as sitk

from madreg.errors import InputError
from madreg.image.geometry import Grid
from madreg.pictures.comparison import compare


def cube(spacing, low, high, value=100.0):
    """A bright cube between two corners (LPS mm) on a grid of its own that covers -60 to 60 mm."""
    grid = Grid.covering(np.full(3, -60.0), np.full(3, 60.0), spacing)
    points = grid.points().numpy()
    inside = ((points >= low) & (points <= high)).all(-1)
    return grid.as_image((inside * value).astype(np.float32)), points


def test_squares_come_from_both_images_in_turn():
    fixed, points = cube(2.0, -40.0, 40.0)
    moving, _ = cube(3.0, -40.0, 40.0, 1e6)
    moving = sitk.Cast(moving * 0 + 5.0 + moving, sitk.sitkFloat32)
    both = compare(fixed, moving, "checkerboard")
    assert both.dtype == np.uint8 and both.shape == points.shape[:3]
    # the same object in both, aligned: no square border is seen inside it
    inside = (np.abs(points) < 34).all(-1)
    assert np.ptp(both[inside].astype(int)) <= 2
    # nothing in the moving image: every other cube is dark
    dark, _ = cube(3.0, 50.0, 55.0)
    share = (compare(fixed, dark, "checkerboard")[inside] > 100).mean()
    assert 0.35 < share < 0.65


@pytest.mark.parametrize("shift", [0.0, 12.0])
def test_edges_lie_where_the_moving_image_has_them(shift):
    fixed, points = cube(2.0, -40.0, 40.0)
    moving, _ = cube(2.0, -20.0 + shift, 20.0 + shift)
    edges = compare(fixed, moving, "edges") == 255
    distance = np.abs(np.abs(points[edges] - shift).max(-1) - 20.0)
    assert edges.sum() > 500 and distance.max() < 4.0


def test_unknown_kinds_are_refused():
    image, _ = cube(4.0, -20.0, 20.0)
    with pytest.raises(InputError, match="no comparison"):
        compare(image, image, "film")
