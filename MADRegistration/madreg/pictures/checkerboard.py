"""A checkerboard of two images, which shows whether outlines continue from one to the other."""

from __future__ import annotations

from functools import reduce

import numpy as np

SQUARE_MM = 25.0
"""Side of a square, or of a cube."""


def every_other(*along: np.ndarray) -> np.ndarray:
    """Which points of a lattice lie in every other square, or cube, of :data:`SQUARE_MM`.

    Args:
        along: for each axis of the lattice (n,) positions in mm; a border lies at 0.

    Returns:
        bool, of the lattice's shape; the square that begins at 0 is False.
    """
    numbers = [np.floor(positions / SQUARE_MM).astype(int) for positions in along]
    total: np.ndarray = reduce(np.add, np.ix_(*numbers))
    return total % 2 == 1
