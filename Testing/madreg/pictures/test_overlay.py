import numpy as np
import pytest
import SimpleITK as sitk

from madreg.image.geometry import Grid
from madreg.io.reading import volume_from_image
from madreg.pictures import overlay, planes


def ball(grid, center, radius, name):
    """Volume with a ball of 100 at a world point, LPS mm, with soft edges."""
    distance = np.linalg.norm(grid.points().numpy() - center, axis=-1)
    array = 100 / (1 + np.exp((distance - radius) / 1.0))
    return volume_from_image(grid.as_image(array.astype(np.float32)), name)[0]


def pictures(figure):
    """The nine pictures (row, column) with their extent in mm."""
    images = [axes.get_images()[0] for axes in figure.axes]
    return {(n % 3, n // 3): (image.get_array(), image.get_extent()) for n, image in enumerate(images)}


def orange_radius(picture, extent, center=(0.0, 0.0)):
    """Distance (n,) in mm of the orange pixels from a point of the picture."""
    rows, columns = picture.shape[:2]
    x = np.linspace(extent[0], extent[1], columns)[None, :] - center[0]
    y = np.linspace(extent[3], extent[2], rows)[:, None] - center[1]
    orange = picture[..., 0] - picture[..., 2] > 0.4
    return np.hypot(x, y)[orange]


@pytest.mark.parametrize("name", ["plain", "anisotropic", "left-handed", "sagittal"])
def test_edges_are_drawn_where_the_moving_image_lies(odd_grids, rigid_motion, name):
    center = np.array([12.0, -30.0, 45.0])
    fixed = ball(odd_grids[name], center, 28.0, "fixed")
    # the moving ball, smaller, lies elsewhere; `after` brings it to the middle of the fixed one
    moving = ball(Grid.covering(np.full(3, -50.0), np.full(3, 50.0), 2.0), np.zeros(3), 18.0, "moving")
    after = rigid_motion([1, 2, 3], 0.0, -center)
    figure = overlay.draw(fixed, moving, rigid_motion([0, 0, 1], 0.0, -center - [0.0, 0.0, 6.0]), after)
    found = pictures(figure)
    assert len(found) == 9
    for column in range(3):
        picture, extent = found[1, column]
        # the view may be wider on one side, so the ball's own middle is looked for
        bright = picture.max(-1) > 0.3
        y, x = (values.mean() for values in np.nonzero(bright))
        middle = (
            extent[0] + x / (picture.shape[1] - 1) * (extent[1] - extent[0]),
            extent[3] + y / (picture.shape[0] - 1) * (extent[2] - extent[3]),
        )
        radius = orange_radius(picture, extent, middle)
        assert len(radius) > 100 and abs(np.median(radius) - 18.0) < 1.5  # mm


def test_before_and_after_differ_by_the_displacement(odd_grids, rigid_motion):
    volume = ball(odd_grids["plain"], np.array([12.0, -30.0, 45.0]), 20.0, "ball")
    found = pictures(overlay.draw(volume, volume, rigid_motion([0, 0, 1], 0.0, (-10.0, 0.0, 0.0)), np.eye(4)))
    (before, extent), (after, _) = found[0, 0], found[1, 0]
    x = np.linspace(extent[0], extent[1], before.shape[1])

    def middle(picture):
        orange = picture[..., 0] - picture[..., 2] > 0.4
        return (x * orange).sum() / orange.sum()

    # fixed x shows moving x - 10: the ball is seen 10 mm further to the patient's left, the right of an axial view
    assert middle(before) - middle(after) == pytest.approx(10.0, abs=0.7)


def test_proportions_are_true(odd_grids):
    volume = ball(odd_grids["anisotropic"], np.array([12.0, -30.0, 45.0]), 25.0, "ball")
    figure = overlay.draw(volume, volume, np.eye(4), np.eye(4))
    figure.canvas.draw()
    scales = []
    for axes in figure.axes:
        (picture,) = axes.get_images()
        left, right, bottom, top = picture.get_extent()
        box = axes.transData.transform([[left, bottom], [right, top]])
        scales += list((box[1] - box[0]) / [right - left, top - bottom])
    assert np.ptp(scales) < 0.02 * np.mean(scales)  # pixels per mm, along both axes of all nine


@pytest.mark.parametrize(
    ("column", "offset", "seen"),
    [
        (0, (14.0, -14.0, 0.0), (14.0, 14.0)),  # axial: the patient's left is right, the front is up
        (1, (14.0, 0.0, 14.0), (14.0, 14.0)),  # coronal: the patient's left is right, the top is up
        (2, (0.0, -14.0, 14.0), (-14.0, 14.0)),  # sagittal: the front is left, the top is up
    ],
)
def test_planes_follow_the_radiological_convention(odd_grids, column, offset, seen):
    center = np.array([12.0, -30.0, 45.0])
    fixed = ball(odd_grids["plain"], center, 30.0, "fixed")
    moving = ball(odd_grids["plain"], center + offset, 7.0, "moving")
    picture, (left, right, bottom, top) = pictures(overlay.draw(fixed, moving, np.eye(4), np.eye(4)))[1, column]
    y, x = np.nonzero(picture[..., 0] - picture[..., 2] > 0.4)
    found = (
        left + x.mean() / (picture.shape[1] - 1) * (right - left),
        top + y.mean() / (picture.shape[0] - 1) * (bottom - top),
    )
    assert found == pytest.approx(seen, abs=1.5)  # mm


def test_far_apart_or_without_overlap_is_drawn_all_the_same(tmp_path, odd_grids, rigid_motion):
    volume = ball(odd_grids["oblique"], np.array([12.0, -30.0, 45.0]), 20.0, "ball")
    far = rigid_motion([0, 0, 1], 90.0, (900.0, 0.0, 0.0))
    figure = overlay.draw(volume, volume, far, far, "far apart", "900 mm", "900 mm")
    figure.savefig(tmp_path / "far.png")
    image = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "far.png")))
    assert image.shape[0] > 700 and image.shape[1] > 900 and image.std() > 10
    assert "far apart" in figure.get_suptitle()


def test_no_colour_goes_beyond_what_a_screen_shows():
    """Matplotlib would complain about it on stderr."""
    edges = np.random.default_rng(0).random((300, 300), np.float32)
    picture = planes.with_edges(np.full((300, 300), 2, np.float32), edges)
    assert picture.min() >= 0 and picture.max() == 1
