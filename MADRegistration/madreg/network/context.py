"""What lies around a place, as a correction of its linear features: a U-shaped network over the edges of an image.

After Ronneberger et al. 2015, "U-Net: convolutional networks for biomedical image segmentation".  As in all of the
feature network nothing depends on where the lattice ends: ends are repeated, and what is normalized is the vector of
channels at each voxel (Zhang and Sennrich 2019, "Root mean square layer normalization"), never the volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from .convolution import in_halves
from .edges import CHANNELS, padded

FINE_WIDTH = 16
"""Channels at the resolution of the input, where most voxels are."""


def normalized(x: torch.Tensor) -> torch.Tensor:
    """(B, C, k, j, i) with a root mean square of 1 over the channels of each voxel."""
    return x * (x.square().mean(1, keepdim=True) + 1e-5).rsqrt()


def enlarged(x: torch.Tensor) -> torch.Tensor:
    """(B, C, k, j, i) at twice the resolution."""
    return F.interpolate(x, scale_factor=2, mode="trilinear")


class Convolution(nn.Module):
    """A convolution of 3^3 voxels with repeated ends, normalization and a leaky ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv3d(inputs, outputs, 3)
        nn.init.kaiming_normal_(self.convolution.weight, 0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.leaky_relu(normalized(in_halves(self.convolution, padded(x))), 0.1)


class Residual(nn.Module):
    """Adds what two convolutions find (He et al. 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(Convolution(width, width), Convolution(width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class Context(nn.Module):
    """Corrections of the linear features of each level; none before training.

    Args:
        lengths: of the features of each level, the finest first.
        widths: channels at half, quarter, eighth ... resolution.
    """

    def __init__(self, lengths: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        finer = list(pairwise(widths))
        self.first = nn.Conv3d(CHANNELS, widths[0], 1)
        self.edges = nn.ModuleList(nn.Conv3d(CHANNELS, width, 1) for width in widths[1:])
        self.halved = nn.ModuleList(nn.Conv3d(one, other, 2, 2) for one, other in finer)
        self.down = nn.ModuleList(Residual(width) for width in widths)
        self.narrowed = nn.ModuleList(nn.Conv3d(other, one, 1) for one, other in finer)
        self.up = nn.ModuleList(Convolution(one, one) for one, _ in finer)
        self.fine = nn.Conv3d(CHANNELS, FINE_WIDTH, 1)
        self.fine_narrowed = nn.Conv3d(widths[0], FINE_WIDTH, 1)
        self.fine_up = Convolution(FINE_WIDTH, FINE_WIDTH)
        inside = [FINE_WIDTH, *widths][: len(lengths)]
        self.corrections = nn.ModuleList(nn.Conv3d(a, b, 1) for a, b in zip(inside, lengths, strict=True))
        for weights in self.corrections.parameters():
            nn.init.zeros_(weights)

    def forward(self, edges: list[torch.Tensor]) -> list[torch.Tensor]:
        """Corrections (B, length, k/2^l, j/2^l, i/2^l) of each level from the edges at all scales."""
        x = self.down[0](self.first(edges[1]))
        down = [x]
        for halved, shown, body, channels in zip(self.halved, self.edges, self.down[1:], edges[2:], strict=True):
            x = body(halved(x) + shown(channels))
            down.append(x)
        up = [x]
        for n in reversed(range(len(self.up))):
            x = self.up[n](down[n] + enlarged(self.narrowed[n](x)))
            up.insert(0, x)
        fine = self.fine_up(self.fine(edges[0]) + enlarged(self.fine_narrowed(x)))
        return [correction(x) for correction, x in zip(self.corrections, [fine, *up], strict=False)]
