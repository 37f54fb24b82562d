"""From matched points to a transform: the siamese network matches the fixed points, and a robust fit makes a pose.

A step takes one forward pass, no gradient, and uses the whole head at once.  A few of them converge from where the
gradient of a measure no longer leads to the right pose.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..image.fitting import robust_fit
from ..image.geometry import about, apply
from ..measures.mad import MAD

# Chosen on simulated CT-T1 pairs: the posterior as trained underestimates distances, as pairs near alignment were
# frequent in training.
SHARPNESS, FARTHER, OVERSHOOT = 1.5, 3.0, 1.5


def _overshot(motion: np.ndarray, center: np.ndarray, factor: float) -> np.ndarray:
    """A rigid 4x4 motion, ``factor`` times as far, about ``center``."""
    from scipy.spatial.transform import Rotation  # a sixth of a second that few registrations need

    turn = Rotation.from_matrix(motion[:3, :3]).as_rotvec()
    return about(center, Rotation.from_rotvec(factor * turn).as_matrix(), factor * (apply(motion, center) - center))


def align(
    measure: MAD,
    start: np.ndarray,
    steps: int = 14,
    progress: Callable[[float, np.ndarray], None] = lambda share, matrix: None,
) -> tuple[np.ndarray, float]:
    """Follow the matches from a start to a rigid pose.

    Args:
        measure: of the pair, dense, with a siamese network.
        start: 4x4, fixed LPS to moving LPS; a start that is not rigid keeps its scales and shears.
        steps: how many; the second half no longer overshoots.
        progress: called with the share of the steps done and the pose.

    Returns:
        The pose (4x4) with the least predicted distance but for the first ones, and that distance in mm.
    """
    center = measure.points.cpu().double().numpy().mean(0)
    matrix = np.asarray(start, float)
    best, least = None, np.inf
    for step in range(steps):
        points, targets, deviation = measure.correspondences(matrix, SHARPNESS, FARTHER)
        if len(points) < 12:
            break
        # what remains to be done, in the fixed frame
        motion = robust_fit(points, apply(np.linalg.inv(matrix), targets), deviation)
        matrix = matrix @ _overshot(motion, center, OVERSHOOT if step < steps // 2 else 1.0)
        progress((step + 1) / steps, matrix)
        if step >= steps // 3:
            distances, seen = measure.map(matrix)
            value = float(distances[seen].mean()) if seen.any() else np.inf
            if best is None or value < least:
                best, least = matrix, value
    return (matrix if best is None else best), least
