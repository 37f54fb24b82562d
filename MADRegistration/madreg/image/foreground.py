"""Where a scan shows tissue."""

from __future__ import annotations

import numpy as np
import torch

from .morphology import dilate, erode

BACKGROUND = 0.1  # normalised intensity up to which a voxel is background
CLOSING_MM = 5.0
MARGIN_MM = 10.0  # around tissue; beyond is background


def tissue(data: torch.Tensor, spacing: np.ndarray) -> torch.Tensor:
    """bool (k, j, i): brighter than the background, or in a gap of up to twice :data:`CLOSING_MM`.

    Args:
        data: (k, j, i) normalised intensities, 0 is the background.
        spacing: (3,) mm along i, j, k.
    """
    closing = _reach(CLOSING_MM, spacing)
    return erode(dilate(data > BACKGROUND, closing), closing)


def near_tissue(data: torch.Tensor, spacing: np.ndarray) -> torch.Tensor:
    """bool (k, j, i): within :data:`MARGIN_MM` of :func:`tissue`; arguments as there."""
    return dilate(tissue(data, spacing), _reach(MARGIN_MM, spacing))


def row_ends(there: torch.Tensor) -> np.ndarray:
    """Indices (n, 3), i j k order, of the first and the last voxel of (k, j, i) that is True in each row along i.

    Whatever the direction, no other voxel that is True lies farther that way.
    """
    rows = torch.nonzero(there.any(2)).flip(1)
    filled = there[rows[:, 1], rows[:, 0]].byte()
    last = filled.shape[1] - 1
    ends = [filled.argmax(1), last - filled.flip(1).argmax(1)]
    return torch.cat([torch.cat([end[:, None], rows], 1) for end in ends]).cpu().numpy()


def _reach(radius: float, spacing: np.ndarray) -> list[int]:
    """Voxels along k, j, i."""
    return [round(radius / mm) for mm in spacing[::-1]]
