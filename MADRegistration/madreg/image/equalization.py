"""Volumes whose intensities are equally frequent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from .shading import some_values
from .volume import Volume

KNOTS = 2048
"""Intensities between which shares are interpolated, at most."""


def equalized(volume: Volume) -> Volume:
    """The volume with the share of its foreground that is darker in place of every intensity (histogram equalization).

    A histogram of it has equally many samples in every bin, whatever increasing function the intensities went through.
    """
    values = some_values(volume.data, volume.mask & volume.foreground).cpu().numpy()
    levels, counts = np.unique(values, return_counts=True)
    shares = (np.cumsum(counts) - counts / 2) / len(values)
    if len(levels) > KNOTS:
        chosen = np.linspace(0, len(levels) - 1, KNOTS).astype(int)
        levels, shares = levels[chosen], shares[chosen]
    data = np.interp(volume.data.cpu().numpy(), levels, shares).astype(np.float32)
    return replace(volume, data=torch.from_numpy(data).to(volume.device) * volume.mask)
