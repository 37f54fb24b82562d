"""A smooth displacement of some mm, which no linear transform explains: a sum of waves."""

from __future__ import annotations

import numpy as np

WAVES, WAVELENGTH_MM = 4, (70.0, 200.0)
STEEPEST = 0.6  # change of the displacement per length, at most: below 1 it can be inverted


class SmoothDisplacement:
    """Displaces points, LPS mm, by waves of random direction and phase.

    Args:
        amplitude: root mean square displacement in mm over all space; less where it would be too steep.
    """

    def __init__(self, rng: np.random.Generator, amplitude: float) -> None:
        directions = rng.normal(size=(WAVES, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        self.waves = directions * (2 * np.pi / rng.uniform(*WAVELENGTH_MM, (WAVES, 1)))
        self.phases = rng.uniform(0, 2 * np.pi, WAVES)
        amplitudes = rng.normal(size=(WAVES, 3))
        amplitudes *= amplitude / np.sqrt((amplitudes**2).sum() / 2)
        steep = (np.linalg.norm(amplitudes, axis=1) * np.linalg.norm(self.waves, axis=1)).sum()
        self.amplitudes = amplitudes * min(1.0, STEEPEST / steep)

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Where points (..., 3) go."""
        return points + np.sin(points @ self.waves.T + self.phases) @ self.amplitudes

    def inverse(self, points: np.ndarray) -> np.ndarray:
        """What goes to points (..., 3)."""
        found = points.copy()
        for _ in range(60):
            found = points - (self.apply(found) - found)
        return found
