"""The published network: a 3D ResNet on the two-channel image (arXiv 2309.02875)."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from .settings import UNIT_MM, FusedSettings


class _DilatedBlock(nn.Module):
    """Residual block whose convolutions may be dilated; without ``skip``, its convolutions alone."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1, skip: bool = True) -> None:
        super().__init__()
        self.first = nn.Conv3d(inputs, outputs, 3, stride, dilation, dilation, bias=False)
        self.first_norm = nn.BatchNorm3d(outputs)
        self.second = nn.Conv3d(outputs, outputs, 3, 1, dilation, dilation, bias=False)
        self.second_norm = nn.BatchNorm3d(outputs)
        self.shortcut = None
        if skip:
            self.shortcut = (
                nn.Identity()
                if stride == 1 and inputs == outputs
                else nn.Sequential(nn.Conv3d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm3d(outputs))
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.second_norm(self.second(F.relu(self.first_norm(self.first(x)))))
        return F.relu(y if self.shortcut is None else y + self.shortcut(x))


class FusedNetwork(nn.Module):
    """The published form: a 3D ResNet on the two-channel image."""

    def __init__(self, settings: FusedSettings | None = None) -> None:
        super().__init__()
        settings = settings or FusedSettings()
        self.settings = settings
        stem, half, quarter = settings.widths
        block = partial(_DilatedBlock, skip=settings.skip)
        self.trunk = nn.Sequential(
            nn.Conv3d(2, stem, 5, 2, 2, bias=False), nn.BatchNorm3d(stem), nn.ReLU(),
            block(stem, half),
            *[block(half, half) for _ in range(settings.blocks[0] - 1)],
            block(half, quarter, stride=2),
            *[block(quarter, quarter, dilation=1 if n == 0 else 2) for n in range(settings.blocks[1] - 1)],
        )  # fmt: skip
        self.head = nn.Conv3d(quarter, 2 if settings.head == "uncertainty" else 1, 1)

    def forward(self, pair: torch.Tensor) -> torch.Tensor:
        x = self.head(self.trunk(pair))
        distance = F.softplus(x[:, :1]) * UNIT_MM
        return torch.cat([distance, x[:, 1:] - 1], 1) if x.shape[1] > 1 else distance
