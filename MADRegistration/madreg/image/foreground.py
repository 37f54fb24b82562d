"""Where a scan shows tissue."""

from __future__ import annotations

import numpy as np
import torch

from .morphology import dilate, erode

BACKGROUND = 0.1  # normalised intensity up to which a voxel is background
CLOSING_MM = 5.0
MARGIN_MM = 10.0  # around tissue; beyond is background


def threshold(data: torch.Tensor, spacing: np.ndarray) -> torch.Tensor:
    """bool (k, j, i): within :data:`MARGIN_MM` of tissue.

    Args:
        data: (k, j, i) normalised intensities, 0 is the background.
        spacing: (3,) mm along i, j, k.
    """
    closing, margin = ([round(radius / mm) for mm in spacing[::-1]] for radius in (CLOSING_MM, MARGIN_MM))
    near = dilate((data > BACKGROUND).float(), closing)
    near = erode(near, closing)  # specks of noise are not tissue
    return dilate(near, margin) > 0.5
