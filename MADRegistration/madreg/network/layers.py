"""Parts of the networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .settings import UNIT_MM, SiameseSettings


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """A convolution of ``kernel`` voxels along each axis that keeps the lattice, and a batch norm."""
    return nn.Sequential(nn.Conv3d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm3d(outputs))


class Block(nn.Module):
    """Residual block of two 3^3 convolutions (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = conv(inputs, outputs, 3, stride)
        self.second = conv(outputs, outputs)
        self.skip = conv(inputs, outputs, 1, stride) if stride > 1 or inputs != outputs else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.second(F.relu(self.first(x))) + self.skip(x))


def _upsampled(x: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """Twice the resolution, voxel n at voxel 2 n, which is how a stride of 2 halves it."""
    x = F.pad(x, [0, 1] * 3, mode="replicate")
    full = [2 * n - 1 for n in x.shape[2:]]
    x = F.interpolate(x, full, mode="trilinear", align_corners=True)
    return x[:, :, : size[0], : size[1], : size[2]]


class Encoder(nn.Module):
    """One image (B, 1, k, j, i) to features (B, features, k/2, j/2, i/2) and context (B, 2 width, k/4, j/4, i/4)."""

    def __init__(self, settings: SiameseSettings) -> None:
        super().__init__()
        w, d = settings.width, settings.depth
        self.stem = nn.Sequential(conv(1, w, 5, 2), nn.ReLU())
        self.fine = Block(w, w)
        self.quarter = nn.Sequential(Block(w, 2 * w, 2), *[Block(2 * w, 2 * w) for _ in range(d - 1)])
        self.eighth = nn.Sequential(Block(2 * w, 4 * w, 2), *[Block(4 * w, 4 * w) for _ in range(d)])
        self.up = nn.Sequential(conv(4 * w, 2 * w, 1), nn.ReLU())
        self.middle = Block(2 * w, 2 * w)
        self.lateral = conv(w, w, 1)
        self.down = conv(2 * w, w, 1)
        self.out = nn.Sequential(nn.ReLU(), nn.Conv3d(w, settings.features, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        fine = self.fine(self.stem(x))
        quarter = self.quarter(fine)
        quarter = self.middle(quarter + _upsampled(self.up(self.eighth(quarter)), quarter.shape[2:]))
        features = self.out(self.lateral(fine) + _upsampled(self.down(quarter), fine.shape[2:]))
        return F.normalize(features.float(), dim=1), quarter


class Head(nn.Module):
    """Maps at quarter resolution to the distance in mm (and, if asked, the logarithm of the expected error)."""

    def __init__(self, inputs: int, width: int, blocks: int, uncertainty: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(inputs, width), nn.ReLU(), *[Block(width, width) for _ in range(blocks)])
        self.out = nn.Conv3d(width, 2 if uncertainty else 1, 1)
        if self.out.bias is not None:
            nn.init.constant_(self.out.bias, 1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.out(self.body(x)).float()
        distance = F.softplus(x[:, :1]) * UNIT_MM
        return torch.cat([distance, x[:, 1:] - 1], 1) if x.shape[1] > 1 else distance
