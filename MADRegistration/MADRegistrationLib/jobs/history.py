"""How a registration went: its poses and estimated errors over the run."""

from __future__ import annotations

import numpy as np

from madreg.image.geometry import mean_displacement

from ..scene.volumes import Image


class History:
    """All progress of one registration, and its result in the end.

    Args:
        fixed: the fixed volume.
    """

    def __init__(self, fixed: Image) -> None:
        self._corners = fixed.grid.corners
        self._steps: list[tuple[float, np.ndarray, float | None]] = []

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, fraction: float, matrix: np.ndarray, errorMm: float | None) -> None:
        """Note a step: fraction of the run, 4x4 pose (fixed LPS to moving LPS), estimated error."""
        self._steps.append((fraction, matrix, errorMm))

    @property
    def pose(self) -> np.ndarray:
        """The newest, 4x4."""
        return self._steps[-1][1]

    def convergence(self) -> np.ndarray:
        """(n, 3) of percent of the run, distance in mm from the newest pose (mean over the corners of the fixed
        volume), and estimated error in mm or NaN."""
        return np.array(
            [
                (
                    100 * fraction,
                    mean_displacement(matrix, self.pose, self._corners),
                    np.nan if error is None else error,
                )
                for fraction, matrix, error in self._steps
            ]
        )
