"""The transform type: points, inverse, composition, and the way to ITK and Slicer, in millimetres."""

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.image.geometry import fixed_to_moving
from madreg.image.transform import Transform

MATRIX = np.array([[0.0, -1.1, 0.1, 10.0], [0.9, 0.0, 0.0, -20.0], [0.0, 0.2, 1.0, 30.0], [0.0, 0.0, 0.0, 1.0]])
POINTS = np.array([[0.0, 0.0, 0.0], [10.0, -5.0, 7.0], [-80.0, 60.0, 40.0]])


def test_points_go_where_itk_sends_them():
    sent = [Transform(MATRIX).to_itk().TransformPoint(point) for point in POINTS.tolist()]
    assert Transform(MATRIX).apply(POINTS) == pytest.approx(np.array(sent), abs=1e-9)


def test_a_versor_about_a_center_is_read_with_its_center():
    versor = sitk.VersorRigid3DTransform((0.0, 0.0, np.sin(0.2), np.cos(0.2)), (3.0, 4.0, 5.0), (50.0, -20.0, 10.0))
    sent = [versor.TransformPoint(point) for point in POINTS.tolist()]
    assert Transform.from_itk(versor).apply(POINTS) == pytest.approx(np.array(sent), abs=1e-9)
    assert Transform.from_itk(versor).rotation_degrees == pytest.approx(np.degrees(0.4))


def test_inverse_and_composition():
    one, other = Transform(MATRIX), Transform.from_itk(sitk.TranslationTransform(3, (1.0, 2.0, 3.0)))
    assert one.inverse().apply(one.apply(POINTS)) == pytest.approx(POINTS, abs=1e-9)
    assert one.after(other).apply(POINTS) == pytest.approx(one.apply(POINTS + (1.0, 2.0, 3.0)), abs=1e-9)


def test_slicer_and_back():
    assert fixed_to_moving(Transform(MATRIX).to_slicer()) == pytest.approx(MATRIX, abs=1e-9)
    ras = POINTS * (-1, -1, 1)
    moved = ras @ Transform(MATRIX).matrix_ras[:3, :3].T + Transform(MATRIX).matrix_ras[:3, 3]
    assert moved * (-1, -1, 1) == pytest.approx(Transform(MATRIX).apply(POINTS), abs=1e-9)


@pytest.mark.parametrize(
    "matrix", [np.eye(3), np.full((4, 4), np.nan), np.zeros((4, 4)), np.diag([1.0, 1.0, 0.0, 1.0]), 2 * np.eye(4)]
)
def test_what_is_no_transform_is_refused(matrix):
    with pytest.raises(ValueError, match="a transform needs"):
        Transform(matrix)


def test_a_transform_cannot_be_changed_from_outside():
    matrix = np.eye(4)
    transform = Transform(matrix)
    matrix[0, 3] = 5.0
    assert transform.matrix[0, 3] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        transform.matrix[0, 3] = 5.0
