"""A share of the points of a lattice, evenly spread."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product

import torch


def every_nth(flat: torch.Tensor, shape: Sequence[int], n: int) -> torch.Tensor:
    """bool (B,): which of some flat indices (B,) into a lattice (k, j, i) make an ``n``-th of it, evenly spread."""
    _, nj, ni = shape
    along_j, along_i = _steps(n)
    return (flat // (nj * ni) + along_j * (flat // ni % nj) + along_i * (flat % ni)) % n == 0


@cache
def _steps(n: int) -> tuple[int, int]:
    """The numbers a, b from 1 to n, for which the points with ``k + a j + b i`` divisible by n lie farthest apart."""
    reach = 2 + int(n ** (1 / 3))  # the kept points nearest to each other are closer than that (Hermite)
    side = range(-reach, reach + 1)
    squares = {(k, j, i): k * k + j * j + i * i for k, j, i in product(side, repeat=3)}
    nearest_first = sorted(squares, key=squares.__getitem__)[1:]

    def least_distance(steps: tuple[int, int]) -> int:
        a, b = steps
        return next(squares[k, j, i] for k, j, i in nearest_first if (k + a * j + b * i) % n == 0)

    return max(((a, b) for a in range(1, n + 1) for b in range(1, n + 1)), key=least_distance)
