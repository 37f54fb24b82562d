"""How simulated scans are acquired: where their slices lie, shading by a coil, noise of magnitudes."""

from __future__ import annotations

import numpy as np

from madreg.image.geometry import Grid


def slice_axes(plane: int) -> np.ndarray:
    """Axes i, j, k (3, 3), a column each, of slices across world axis ``plane``."""
    return np.eye(3)[:, [[1, 2, 0], [2, 0, 1], [0, 1, 2]][plane]]


def grid_about(center: np.ndarray, axes: np.ndarray, spacing: np.ndarray, extent: np.ndarray) -> Grid:
    """A lattice about a point (3,), LPS mm.

    Args:
        axes: (3, 3), directions of i, j, k, a column each.
        spacing, extent: (3,) mm along them.
    """
    size = np.round(extent / spacing).astype(int)
    matrix = np.eye(4)
    matrix[:3, :3] = axes * spacing
    matrix[:3, 3] = center - axes @ (spacing * (size - 1) / 2)
    return Grid((int(size[0]), int(size[1]), int(size[2])), matrix)


def shaded(values: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Values (k, j, i), brighter to one side; ``strength`` is the logarithm of the change from the middle to an end."""
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in values.shape], indexing="ij")
    direction = rng.normal(size=3)
    return values * np.exp(strength * (x * direction[0] + y * direction[1] + 0.5 * z * direction[2]))


def noisy(values: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """The magnitudes (k, j, i) of values with noise of a standard deviation in both parts of the signal, float32."""
    real, imaginary = values + rng.normal(0, deviation, values.shape), rng.normal(0, deviation, values.shape)
    return np.hypot(real, imaginary).astype(np.float32)
