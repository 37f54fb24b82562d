"""The cubic B-spline, held against SciPy's."""

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline

from madreg.image.spline import cubic_b_spline, cubic_b_spline_slopes


@pytest.mark.parametrize(("ours", "order"), [(cubic_b_spline, 0), (cubic_b_spline_slopes, 1)])
def test_weights_and_slopes_are_those_of_the_basis(ours, order):
    t = np.linspace(0, 0.999, 20)
    basis = BSpline.basis_element(np.arange(-2, 3), extrapolate=False)
    basis = basis.derivative(order) if order else basis
    expected = np.nan_to_num(np.stack([basis(t - sample) for sample in (-1, 0, 1, 2)]))
    found = ours(torch.as_tensor(t)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(found.sum(0), 1 - order, atol=1e-12)
