"""The network: a 3D ResNet on a fixed and a moving patch that predicts how many mm lie between their centres.

As published (arXiv 2309.02875) it sees two channels, the fixed and the moving patch, and is trained with the mean
squared error.  It is fully convolutional: on a larger crop it gives a map with one distance for every
``stride`` voxels, each from the patch around it, which makes hundreds of labels of one pass instead of one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache

import torch
import torch.nn as nn
import torch.nn.functional as F

UNIT_MM = 20.0  # the network's outputs are of order one


@dataclass(frozen=True)
class NetworkSettings:
    """Architecture.

    Attributes:
        encoder: ``fused`` (the published form: both patches are channels of one ResNet) or ``siamese`` (each image
            goes through the same encoder, a layer compares the two by local correlation).
        widths: channels after the stem, at strides 2, 4.
        blocks: residual blocks at stride 2, and at stride 4 (of which dilation grows the view).
        compare: residual blocks after the comparison (siamese).
        match_channels: length of the descriptors that are matched (siamese).
        reach: steps of ``stride`` voxels within which they are matched, in each direction (siamese).
        spacing: mm between voxels that the network expects.
    """

    encoder: str = "fused"
    widths: tuple[int, int, int] = (16, 32, 64)
    blocks: tuple[int, int] = (1, 4)
    compare: int = 2
    match_channels: int = 32
    reach: int = 4
    spacing: float = 4.0

    @property
    def stride(self) -> int:
        return 4


@lru_cache(maxsize=8)
def _window_index(shape: tuple[int, int, int], reach: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """For every position of a lattice the flat positions within ``reach`` (N, offsets), and which of them exist."""
    k, j, i = shape
    axis = torch.arange(-reach, reach + 1)
    offsets = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    here = torch.stack(torch.meshgrid(torch.arange(k), torch.arange(j), torch.arange(i), indexing="ij"), -1)
    there = here.reshape(-1, 1, 3) + offsets
    size = torch.tensor(shape)
    valid = ((there >= 0) & (there < size)).all(-1)
    there = there.clamp(min=torch.zeros(3, dtype=torch.long), max=size - 1)
    index = (there[..., 0] * j + there[..., 1]) * i + there[..., 2]
    return index[None].to(device), valid[None].to(device)


class ResidualBlock(nn.Module):
    """Two 3x3x3 convolutions and a shortcut (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv3d(inputs, outputs, 3, stride, dilation, dilation, bias=False)
        self.first_norm = nn.BatchNorm3d(outputs)
        self.second = nn.Conv3d(outputs, outputs, 3, 1, dilation, dilation, bias=False)
        self.second_norm = nn.BatchNorm3d(outputs)
        self.shortcut = (
            nn.Identity()
            if stride == 1 and inputs == outputs
            else nn.Sequential(nn.Conv3d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm3d(outputs))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.second_norm(self.second(y)) + self.shortcut(x))


def _trunk(inputs: int, settings: NetworkSettings, blocks_at_4: int) -> nn.Sequential:
    stem, half, quarter = settings.widths
    layers: list[nn.Module] = [
        nn.Conv3d(inputs, stem, 5, 2, 2, bias=False), nn.BatchNorm3d(stem), nn.ReLU(),
        ResidualBlock(stem, half),
        *[ResidualBlock(half, half) for _ in range(settings.blocks[0] - 1)],
        ResidualBlock(half, quarter, stride=2),
    ]  # fmt: skip
    layers += [ResidualBlock(quarter, quarter, dilation=1 if n == 0 else 2) for n in range(blocks_at_4 - 1)]
    return nn.Sequential(*layers)


class DistanceNetwork(nn.Module):
    """Predicts the distance in mm between the centres of a fixed and a moving patch."""

    def __init__(self, settings: NetworkSettings = NetworkSettings()) -> None:
        super().__init__()
        self.settings = settings
        quarter = settings.widths[2]
        if settings.encoder == "fused":
            self.trunk = _trunk(2, settings, settings.blocks[1])
        elif settings.encoder == "siamese":
            self.trunk = _trunk(1, settings, settings.blocks[1])
            self.project = nn.Conv3d(quarter, settings.match_channels, 1)
            self.log_temperature = nn.Parameter(torch.tensor(2.3))
            offsets = (2 * settings.reach + 1) ** 3
            self.matches = nn.Conv3d(offsets, quarter, 1, bias=False)
            self.features = nn.Conv3d(2 * quarter, quarter, 1, bias=False)
            self.compare = nn.Sequential(
                nn.BatchNorm3d(quarter), nn.ReLU(), *[ResidualBlock(quarter, quarter) for _ in range(settings.compare)]
            )
        else:
            raise ValueError(f"unknown encoder {settings.encoder!r}")
        self.head = nn.Conv3d(quarter, 1, 1)

    def forward(self, pair: torch.Tensor) -> torch.Tensor:
        """Map of distances.

        Args:
            pair: (B, 2, k, j, i), fixed and moving on one lattice of ``settings.spacing`` mm, intensities from 0
                (background) to 1.

        Returns:
            (B, 1, k', j', i') in mm; sample n lies at voxel ``4 n`` along each axis.
        """
        return self.forward_with_matches(pair)[0]

    def forward_with_matches(self, pair: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """As :meth:`forward`, and the siamese form's logits (B, fixed positions, moving positions); None if fused."""
        if self.settings.encoder == "fused":
            features, logits = self.trunk(pair), None
        else:
            fixed, moving = self.trunk(torch.cat([pair[:, :1], pair[:, 1:]])).chunk(2)
            logits = self._logits(fixed, moving)
            window = self._window(logits, fixed.shape[2:])
            features = self.compare(self.matches(window) + self.features(torch.cat([fixed, moving], 1)))
        return F.softplus(self.head(features)) * UNIT_MM, logits

    def _logits(self, fixed: torch.Tensor, moving: torch.Tensor) -> torch.Tensor:
        """How well every fixed position matches every moving one: cosine times a learned temperature."""
        descriptors = F.normalize(self.project(torch.cat([fixed, moving])), dim=1).flatten(2)
        fixed_descriptors, moving_descriptors = descriptors.chunk(2)
        return fixed_descriptors.transpose(1, 2) @ moving_descriptors * self.log_temperature.exp()

    def _window(self, logits: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        """Softmax of each fixed position's matches over the offsets within reach: (B, offsets, k', j', i')."""
        index, valid = _window_index(tuple(shape), self.settings.reach, str(logits.device))
        scores = logits.gather(2, index.expand(len(logits), -1, -1)).masked_fill(~valid, -1e4)
        probability = torch.softmax(scores.float(), 2).to(logits.dtype)
        return probability.transpose(1, 2).reshape(len(logits), -1, *shape) * 8.0

    def plain(self) -> dict:
        """Settings as plain types, to be stored beside the weights."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self.settings).items()}


def network_of(plain: dict) -> DistanceNetwork:
    """Inverse of :meth:`DistanceNetwork.plain`, weights untrained."""
    return DistanceNetwork(NetworkSettings(**{k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()}))
