"""What a registration tells while it runs, and how it is stopped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


class Cancelled(Exception):
    """Raised by a progress callback to stop a registration."""


@dataclass(frozen=True)
class Progress:
    """Where a registration stands: the stage, the share of the whole run done, the current 4x4 (LPS, fixed to
    moving), and the estimated error in mm once there is one."""

    stage: str
    fraction: float
    matrix: np.ndarray
    error_mm: float | None = None
