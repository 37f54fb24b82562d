import numpy as np

from madreg.pictures.checkerboard import SQUARE_MM, every_other


def test_squares_alternate_along_every_axis_from_zero_on():
    assert SQUARE_MM == 25.0
    along = np.array([-26.0, -1, 0, 24, 25, 49, 50])
    expected = [False, True, False, False, True, True, False]
    assert every_other(along).tolist() == expected
    cubes = every_other(along, along[2:4], along)
    assert cubes.shape == (7, 2, 7)
    np.testing.assert_array_equal(cubes[:, 0], np.not_equal.outer(expected, expected))
    np.testing.assert_array_equal(cubes[:, 0], cubes[:, 1])
