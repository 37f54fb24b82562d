"""Sets of rotations: evenly spread over all, and around one.

Source: Alexa 2022, "Super-Fibonacci spirals: fast, low-discrepancy sampling of SO(3)".
"""

from __future__ import annotations

import numpy as np


def super_fibonacci(count: int) -> np.ndarray:
    """``count`` rotation matrices (count, 3, 3), evenly spread over SO(3) (Alexa 2022, algorithm 1)."""
    s = np.arange(count) + 0.5
    alpha = 2 * np.pi * s / np.sqrt(2)
    beta = 2 * np.pi * s / 1.533751168755204288118041
    r, rest = np.sqrt(s / count), np.sqrt(1 - s / count)
    x, y, z, w = r * np.sin(alpha), r * np.cos(alpha), rest * np.sin(beta), rest * np.cos(beta)
    rows = [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
            2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
            2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]  # fmt: skip
    return np.stack(rows, -1).reshape(-1, 3, 3)


def neighbouring_rotations(degrees: float) -> np.ndarray:
    """(6, 3, 3) rotations by so much to either side about each axis."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turns = np.array([[[1, 0, 0], [0, c, -s], [0, s, c]],
                      [[c, 0, s], [0, 1, 0], [-s, 0, c]],
                      [[c, -s, 0], [s, c, 0], [0, 0, 1]]])  # fmt: skip
    return np.concatenate([turns, turns.transpose(0, 2, 1)])
