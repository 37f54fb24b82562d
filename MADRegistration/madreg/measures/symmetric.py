"""The mean of a measure over fixed points and over moving points, in which neither image has a role of its own."""

from __future__ import annotations

import torch

from ..image.equalization import equalized
from ..image.volume import Volume
from .base import Measure
from .feature_mad import FeatureMAD
from .joint import Joint


class Symmetric:
    """Half of a measure of the pair and half of the same measure of the swapped pair.

    A measure treats its two images differently, and its points lie in one of them: swapping the images moves the
    minimum of :class:`~madreg.measures.joint.Joint` by up to 0.5 mm.  This has the same minimum for both orders.

    Args:
        forward: of fixed LPS to moving LPS.
        backward: of moving LPS to fixed LPS.
    """

    def __init__(self, forward: Measure, backward: Measure) -> None:
        self.forward, self.backward, self.name = forward, backward, forward.name

    def __call__(self, matrices: torch.Tensor) -> torch.Tensor:
        return (self.forward(matrices) + self.backward(torch.linalg.inv(matrices))) / 2


def symmetric_joint(fixed: Volume, moving: Volume, samples: int = 30_000, seed: int = 0) -> Symmetric:
    """NMI of equalized volumes and NGF together; arguments as for :class:`~madreg.measures.nmi.NMI`.

    Half of the samples are fixed points, half moving ones.
    """
    for_nmi = equalized(fixed), equalized(moving)
    forward = Joint(fixed, moving, samples // 2, seed, for_nmi)
    return Symmetric(forward, Joint(moving, fixed, samples // 2, seed, for_nmi[::-1]))


def symmetric_finest_features(measure: FeatureMAD) -> Symmetric:
    """The finest features alone, to be used within a few millimeters of the pose from which a measure is seen."""
    finest = measure.of_level(min(measure.level_weights))
    return Symmetric(finest, finest.swapped())
