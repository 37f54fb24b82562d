"""The uniform cubic B-spline: how much each of the four samples around a position counts, and how that changes."""

from __future__ import annotations

import torch


def cubic_b_spline(t: torch.Tensor) -> torch.Tensor:
    """(4, ...) weights, which sum to 1, of the samples at -1, 0, 1 and 2 at positions (...) from 0 to 1."""
    return torch.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6


def cubic_b_spline_slopes(t: torch.Tensor) -> torch.Tensor:
    """(4, ...) derivatives of :func:`cubic_b_spline` by the position, which sum to 0."""
    return torch.stack([-((1 - t) ** 2), 3 * t**2 - 4 * t, -3 * t**2 + 2 * t + 1, t**2]) / 2
