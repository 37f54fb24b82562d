"""Rotations that are evenly spread over all.

Source: Alexa 2022, "Super-Fibonacci spirals: fast, low-discrepancy sampling of SO(3)".
"""

from __future__ import annotations

from itertools import permutations, product

import numpy as np

from ..image.geometry import quaternion_rotation, rotation

BETWEEN = 248.0  # degrees about z, of those tried the angle by which 400 rotations and 400 more lie most evenly
DENSE = 3500  # rotations, about 12 degrees from each other
OFF_AXIS = 20.0  # degrees, by which a body is rotated in its scan at most, mostly


def super_fibonacci(count: int) -> np.ndarray:
    """``count`` rotation matrices (count, 3, 3), evenly spread over SO(3) (Alexa 2022, algorithm 1)."""
    s = np.arange(count) + 0.5
    alpha = 2 * np.pi * s / np.sqrt(2)
    beta = 2 * np.pi * s / 1.533751168755204288118041
    r, rest = np.sqrt(s / count), np.sqrt(1 - s / count)
    x, y, z, w = r * np.sin(alpha), r * np.cos(alpha), rest * np.sin(beta), rest * np.cos(beta)
    return np.stack(quaternion_rotation(w, x, y, z), -1).reshape(-1, 3, 3)


def between_super_fibonacci(count: int) -> np.ndarray:
    """``count`` more rotation matrices (count, 3, 3), which lie between those of :func:`super_fibonacci`.

    Together they are spread about as evenly as twice as many of one spiral.
    """
    return rotation(np.array([0.0, 0.0, 1.0]), BETWEEN) @ super_fibonacci(count)


def cube_group() -> np.ndarray:
    """(24, 3, 3): the rotations that take a cube to itself, the identity first."""
    signs = product((1.0, -1.0), repeat=3)
    found = [np.diag(sign)[list(order)] for sign, order in product(signs, permutations(range(3)))]
    return np.array([one for one in found if np.linalg.det(one) > 0])


def along_axes(fixed_axes: np.ndarray, moving_axes: np.ndarray) -> np.ndarray:
    """(24, 3, 3): the rotations, fixed to moving directions, that bring the axes of two lattices onto each other.

    Most scans lie along the axes of the body, in one of these ways to each other.

    Args:
        fixed_axes, moving_axes: (3, 3), the directions of the axes i, j, k, a unit vector a column.
    """
    handedness = np.sign(np.linalg.det(moving_axes @ fixed_axes.T))
    return handedness * moving_axes @ cube_group() @ fixed_axes.T


def near_axes(fixed_axes: np.ndarray, moving_axes: np.ndarray) -> np.ndarray:
    """Rotations (R, 3, 3) within 20 degrees of those of :func:`along_axes`, one in twenty of all."""
    rotations = super_fibonacci(DENSE)
    traces = np.einsum("aij,bij->ab", rotations, along_axes(fixed_axes, moving_axes)).max(1)
    return rotations[traces >= 1 + 2 * np.cos(np.deg2rad(OFF_AXIS))]
