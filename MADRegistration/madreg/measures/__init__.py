"""Image distances with one interface; see :class:`madreg.measures.base.Measure`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ..image.volume import Volume
from .base import Measure
from .mad import MAD
from .ngf import NGF
from .nmi import NMI

MEASURES: dict[str, Callable[..., Measure]] = {
    "mad": MAD,
    "nmi": NMI,
    "ngf": NGF,
}


def distance(name: str, fixed: Volume, moving: Volume, matrix: np.ndarray) -> float:
    """Value of a measure in :data:`MEASURES` at one 4x4 matrix, fixed LPS to moving LPS; lower is better."""
    with torch.no_grad():
        return float(MEASURES[name](fixed, moving)(torch.as_tensor(matrix, dtype=torch.float64)[None])[0])
