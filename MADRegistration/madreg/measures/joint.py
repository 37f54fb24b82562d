"""Normalised mutual information and gradient fields together, for the last millimetres."""

from __future__ import annotations

import torch

from ..image.points import sample_points
from ..image.sampling import interleaved, sample_moved
from ..image.volume import Volume
from .ngf import NGF
from .nmi import NMI

# On tuning pairs (simulated CT-T1, slabs of T2 on T1) NMI alone lets an affine transform shear to fit its histogram, by
# 1.7 mm against 1.0 with edges; of rigid poses edges alone are less accurate, 0.30 mm against 0.11.
EDGES = 0.3


class Joint:
    """``NMI + 0.3 NGF``, both over the same fixed points.

    Args:
        fixed, moving, samples, seed: as for :class:`NMI`.
        for_nmi: the pair with other intensities, which NMI is to take.
    """

    name = "nmi+ngf"

    def __init__(
        self,
        fixed: Volume,
        moving: Volume,
        samples: int = 30_000,
        seed: int = 0,
        for_nmi: tuple[Volume, Volume] | None = None,
    ) -> None:
        self.points = sample_points(fixed, samples, seed)
        self.nmi = NMI(*(for_nmi or (fixed, moving)), points=self.points)
        self.ngf = NGF(fixed, moving, points=self.points)
        # both are sampled at once, which takes three quarters of the time
        self.grid = moving.grid
        self.channels = interleaved([self.nmi.moving.data, moving.mask.float(), *self.ngf.gradient_and_mask])

    def __call__(self, matrices: torch.Tensor) -> torch.Tensor:
        samples = sample_moved(self.channels, self.grid, matrices, self.points)
        return self.nmi.of_samples(samples[0], samples[1]) + EDGES * self.ngf.of_samples(samples[2:], matrices)
