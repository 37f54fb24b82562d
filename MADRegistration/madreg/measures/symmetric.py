"""The mean of a measure over fixed points and over moving points, in which neither image has a role of its own."""

from __future__ import annotations

import torch

from ..image.equalization import equalized
from ..image.volume import Volume
from .joint import Joint


class SymmetricJoint:
    """Half of :class:`~madreg.measures.joint.Joint` of the pair and half of it of the swapped pair; NMI of equalized
    volumes.

    A histogram treats its two images differently, and its points lie in one of them: swapping the images moves the
    minimum of ``Joint`` by up to 0.5 mm.  This has the same minimum for both orders.

    Args: as for :class:`~madreg.measures.nmi.NMI`; half of the samples are fixed points, half moving ones.
    """

    name = Joint.name

    def __init__(self, fixed: Volume, moving: Volume, samples: int = 30_000, seed: int = 0) -> None:
        for_nmi = equalized(fixed), equalized(moving)
        self.forward = Joint(fixed, moving, samples // 2, seed, for_nmi)
        self.backward = Joint(moving, fixed, samples // 2, seed, for_nmi[::-1])

    def __call__(self, matrices: torch.Tensor) -> torch.Tensor:
        return (self.forward(matrices) + self.backward(torch.linalg.inv(matrices))) / 2
