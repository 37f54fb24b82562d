"""Any measure alone, as ``madreg register --measure NAME --init geometry`` minimizes those that it knows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from madreg.descent.adam import adam
from madreg.descent.parameters import LinearTransform
from madreg.image.pair import SPACING
from madreg.image.points import sample_points
from madreg.image.volume import Volume
from madreg.measures.base import Measure
from madreg.pipeline.single_measure import SCHEDULE


def register_alone(
    fixed: Volume, moving: Volume, make: Callable[[Volume, Volume], Measure], seed: int = 0, steps: int = SCHEDULE.steps
) -> np.ndarray:
    """The rigid 4x4 matrix, fixed LPS to moving LPS, mm, at which descent from the centres of geometry ends.

    Args:
        make: makes the measure of two volumes; MAD resamples them itself, others take them at :data:`SPACING`.
    """
    start = np.eye(4)
    start[:3, 3] = moving.grid.center - fixed.grid.center
    points = sample_points(fixed.resampled(SPACING), 2000, seed).cpu().double().numpy()
    transform = LinearTransform.over(points, start)
    poses, _ = adam(
        make(fixed, moving), transform, steps=steps, first_step=SCHEDULE.first_step, last_step=SCHEDULE.last_step
    )
    return poses[0]
