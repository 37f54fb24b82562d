"""Where the body is, without the air around it that counts as foreground."""

from __future__ import annotations

import torch

from ..image.foreground import MARGIN_MM, tissue
from ..image.geometry import Grid
from ..image.morphology import dilate, erode
from ..image.sampling import sample_array
from ..image.volume import Volume

LEAST = 0.01  # of the foreground; less tissue is none


def body(fixed: Volume, grid: Grid) -> torch.Tensor:
    """bool (k, j, i) on a grid: the foreground without the air that counts as such, 10 mm around.

    Gaps in the tissue of up to 20 mm belong to the body.  Where the field of view cuts the body, it ends there.
    """
    foreground = fixed.foreground.float().cpu()[None]
    shown = tissue(fixed.data, fixed.grid.spacing).float().cpu()[None] * foreground
    inside = sample_array(foreground, fixed.grid.inverse, grid.points(), "zeros")[0] > 0.5
    if shown.sum() < LEAST * foreground.sum():
        return inside
    reach = [round(MARGIN_MM / mm) for mm in grid.spacing[::-1]]
    wide = 2 * max(reach)  # closing looks so far around
    closed = sample_array(shown, fixed.grid.inverse, grid.widened(wide).points(), "zeros")[0]
    closed = erode(dilate(closed, reach), reach)[wide:-wide, wide:-wide, wide:-wide]
    return inside & (closed > 0.5)
