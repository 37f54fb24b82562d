"""Displacement fields map points, and resample volumes, as ITK does."""

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.image.displacement_field import DisplacementField
from madreg.image.geometry import Grid, apply


@pytest.fixture(params=["plain", "oblique", "left-handed"])
def field(request, odd_grids):
    """Smooth displacements of up to 9 mm on a lattice."""
    grid = odd_grids[request.param]
    grid = Grid((9, 10, 11), grid.matrix @ np.diag([3.0, 3.0, 3.0, 1.0]))
    points = grid.points().double().numpy()
    return DisplacementField(9 * np.sin(points / 30 + [0, 1, 2]), grid)


def itk_of(field):
    image = sitk.GetImageFromArray(field.displacements.astype(float), isVector=True)
    image.CopyInformation(field.grid.as_image(np.zeros(field.grid.shape, np.uint8)))
    return sitk.DisplacementFieldTransform(image)


def test_points_are_mapped_as_by_itk_within_the_lattice_and_beyond(field):
    rng = np.random.default_rng(0)
    index = rng.uniform(-0.4, np.array(field.grid.size) - 0.6, (50, 3))
    beyond = rng.uniform(1, 5, (20, 3)) + field.grid.size
    points = apply(field.grid.matrix, np.concatenate([index, beyond, -beyond]))
    itk = itk_of(field)
    wanted = np.array([itk.TransformPoint(point.tolist()) for point in points])
    assert np.abs(field.apply(points) - wanted).max() < 1e-4
    assert np.abs(wanted[50:] - points[50:]).max() == 0 and np.abs(wanted[:50] - points[:50]).max() > 5


def test_a_warped_volume_shows_what_lay_elsewhere(field, odd_grids, blob_volume):
    """A blob that the field takes to a point of the fixed world is seen at that point."""
    center = field.grid.center
    moving = blob_volume(odd_grids["oblique"], field.apply(center))
    grid = Grid.covering(center - 25, center + 25, 2.0)
    warped = field.warped(moving, grid)
    points = grid.points()
    weight = warped.data.clamp(min=0) ** 4
    middle = (points * weight[..., None]).sum((0, 1, 2)) / weight.sum()
    assert np.linalg.norm(middle.numpy() - center) < 1.0
    assert np.linalg.norm(field.apply(center) - center) > 2.0


def test_of_another_transform(field):
    """A chain of transforms is the same at the points of a lattice."""
    chain = sitk.CompositeTransform([sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.1, 0.2, 0.3, (4, 5, 6)), itk_of(field)])
    found = DisplacementField.of_itk(chain, field.grid)
    points = apply(field.grid.matrix, np.array([[3.0, 4.0, 5.0], [2.5, 4.5, 5.5]]))
    wanted = np.array([chain.TransformPoint(point.tolist()) for point in points])
    assert np.abs(found.apply(points[:1]) - wanted[:1]).max() < 1e-3
    assert np.abs(found.apply(points) - wanted).max() < 1.0


@pytest.mark.parametrize("wrong", ["shape", "nan"])
def test_what_is_no_field_is_refused(field, wrong):
    displacements = field.displacements.copy()
    if wrong == "nan":
        displacements[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="three finite numbers"):
        DisplacementField(displacements[1:] if wrong == "shape" else displacements, field.grid)


def test_how_much_a_lattice_covers(field):
    inside = apply(field.grid.matrix, np.array([[0.0, 0, 0], [8, 9, 10]]))
    outside = apply(field.grid.matrix, np.array([[-1.0, 0, 0], [8, 9, 11]]))
    assert field.covers(inside) == 1 and field.covers(outside) == 0
    assert field.covers(np.concatenate([inside, outside])) == 0.5
