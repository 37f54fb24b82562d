"""DICOM series of a known function of space."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def off_mm(dicom):
    """Function: how far in mm an image of the known function is from where it belongs, at worst, by its intensities."""

    def measure(image, values=None):
        import SimpleITK as sitk

        from madreg.image.geometry import Grid

        grid = Grid.of_image(image)
        array = sitk.GetArrayFromImage(image).astype(float)
        points = grid.points().numpy().astype(float)
        expected = (values or dicom.blob)(points)
        data = np.isfinite(array)
        slope = np.sqrt(sum(np.square(one) for one in np.gradient(expected, *grid.spacing[::-1])))
        clear = data & (slope > 10)
        assert clear.sum() > 1000
        return (np.abs(array - expected)[clear] / slope[clear]).max()

    return measure


@pytest.fixture
def straight():
    """Function: (n, 3) positions of slices with even steps in mm along z."""
    return lambda count, step=2.0: np.array([[-30.0, -25.0, step * k - 20] for k in range(count)])
