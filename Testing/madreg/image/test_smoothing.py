"""Gaussian smoothing and gradients, against scipy and against known slopes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from madreg.image.gradients import world_gradient
from madreg.image.smoothing import _bands, along_axes, cubic_matrix, interpolation_matrix, smooth, smoothing_matrix


def test_smoothing_is_a_gaussian_along_each_axis():
    array = np.random.default_rng(0).normal(size=(24, 28, 32)).astype(np.float32)
    ours = smooth(torch.from_numpy(array), [2.0, 1.0, 0.0]).numpy()
    scipys = ndimage.gaussian_filter(array, (0.0, 1.0, 2.0), truncate=3.0, mode="nearest")
    assert np.abs(ours - scipys).max() < 0.01 * scipys.std()


def test_smoothing_keeps_constants_and_small_arrays():
    assert smooth(torch.full((3, 2, 5), 7.0), [4.0, 4.0, 4.0]).numpy() == pytest.approx(7.0)
    assert smooth(torch.ones(1, 4, 4), [1.0, 1.0, 3.0]).shape == (1, 4, 4)


def test_gradient_is_per_mm_along_the_world(awkward_grid):
    slope = torch.tensor([0.02, -0.05, 0.03])
    ramp = (awkward_grid.points() * slope).sum(-1)
    gradient = world_gradient(ramp, awkward_grid)
    assert gradient.shape == (3, *awkward_grid.shape)
    for axis in range(3):
        assert float((gradient[axis] - slope[axis]).abs().max()) < 1e-4


def test_interpolation_meets_the_samples_and_repeats_the_ends():
    samples = np.array([1.0, 4.0, -2.0, 3.0])
    found = interpolation_matrix(4, np.array([-3.0, 0.0, 0.25, 2.0, 2.5, 9.0])) @ samples
    assert found == pytest.approx([1.0, 1.0, 1.75, -2.0, 0.5, 3.0])


def test_cubic_convolution_meets_the_samples_repeats_the_ends_and_knows_parabolas():
    parabola = np.arange(9.0) ** 2
    found = cubic_matrix(9, np.array([-3.0, 0.0, 1.25, 3.5, 6.0, 8.0, 20.0])) @ parabola
    assert found == pytest.approx([0.0, 0.0, 1.25**2, 3.5**2, 36.0, 64.0, 64.0])


def test_matrices_act_along_i_j_and_k():
    array = torch.arange(24.0).reshape(2, 3, 4)  # k, j, i
    first, middle, last = np.eye(4)[[3]], np.eye(3)[[1, 2]], np.eye(2)
    assert along_axes(array, [first, middle, last]).equal(array[:, 1:, 3:])


def test_along_many_samples_nothing_is_multiplied_by_zeros():
    """A banded matrix costs what its band does, and gives what the whole matrix gives."""
    array = torch.from_numpy(np.random.default_rng(0).normal(size=(700, 5, 6)).astype(np.float32))
    matrix = interpolation_matrix(700, np.arange(350) * 2 + 0.3) @ smoothing_matrix(700, 2.0)
    ours = along_axes(array, [np.eye(6), np.eye(5), matrix])
    expected = np.einsum("ab,bji->aji", matrix, array.numpy().astype(float))
    assert np.abs(ours.numpy() - expected).max() < 1e-5
    multiplied = sum(rows.numel() for rows, _, _ in _bands(torch.from_numpy(matrix)))
    assert multiplied < 0.35 * matrix.size
    assert len(_bands(torch.zeros(500, 500))) == 6 and along_axes(array, [np.eye(6), np.eye(5), 0 * matrix]).sum() == 0
