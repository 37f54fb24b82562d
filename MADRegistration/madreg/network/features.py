"""The feature network: one scan alone to unit feature vectors, at several resolutions.

Features are linear in the edges around (:mod:`madreg.network.edges`) at three scales each, and may be corrected by what
lies farther around (:mod:`madreg.network.context`).  Nothing in the network knows where the lattice ends: there are no
zeros around it, and what is normalized is the vector at each voxel, never the volume.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import nn

from .context import Context
from .convolution import in_halves
from .edges import CHANNELS, edge_pyramid, padded
from .settings import FeatureSettings

SCALES = 3
"""So many scales of edges make the features of a level, from that of the level on."""
MATCHED = 1
"""Number of the level at which points are matched.  Of halves of slabs, matches of the next one do not meet at the
right pose."""


class Level(nn.Module):
    """Linear features of one resolution.

    Args:
        length: of a feature.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.kernels = nn.ModuleList(nn.Conv3d(CHANNELS, length, 3, bias=n == 0) for n in range(SCALES))

    def forward(self, edges: list[torch.Tensor]) -> torch.Tensor:
        """Features (B, length, k, j, i) from the edges at the level's own scale and the next two, not normalized."""
        found = [_convolved(kernel, channels) for kernel, channels in zip(self.kernels, edges, strict=True)]
        total = found[-1]
        for finer in reversed(found[:-1]):
            total = finer + F.interpolate(total, scale_factor=2, mode="trilinear")
        return total

    @torch.no_grad()
    def set_kernels(self, weights: list[torch.Tensor], offsets: torch.Tensor) -> None:
        """Take over the kernels (length, 8, 3, 3, 3) of each scale and the offsets (length,)."""
        state = {f"kernels.{n}.weight": weight for n, weight in enumerate(weights)}
        self.load_state_dict({**state, "kernels.0.bias": offsets})


class FeatureNetwork(nn.Module):
    """See the module.  Voxel ``n`` of level ``l`` lies at input position ``2^l n + (2^l - 1) / 2``."""

    def __init__(self, settings: FeatureSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or FeatureSettings()
        self.levels = nn.ModuleList(Level(length) for length in self.settings.levels)
        widths = self.settings.context
        if widths and len(widths) != self.scales - 1:
            raise ValueError(f"context of {len(widths)} resolutions, not {self.scales - 1}")
        self.context = Context(self.settings.levels, widths) if widths else None
        self.more = Level(self.settings.more) if self.settings.more else None

    def each_level(self) -> list[Level]:
        """The levels, the finest first."""
        return [level for level in self.levels if isinstance(level, Level)]

    @property
    def scales(self) -> int:
        """How many scales of edges are looked at."""
        return len(self.levels) - 1 + SCALES

    @property
    def multiple(self) -> int:
        """Every side of an input is a multiple of this."""
        return int(2 ** (self.scales - 1))

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Unit features of images (B, 1, k, j, i), level ``l`` of shape (B, length, k/2^l, j/2^l, i/2^l)."""
        edges = edge_pyramid(image, self.scales)
        found = [level(edges[n : n + SCALES]) for n, level in enumerate(self.levels)]
        if self.context is not None:
            found = [linear + more for linear, more in zip(found, self.context(edges), strict=True)]
        return [F.normalize(features, dim=1) for features in found]

    def input_level(self, numbers: Collection[int]) -> int:
        """The level at whose resolution an image is needed for the features of the levels of some numbers."""
        return min(numbers) if self.context is None else 0

    def some(self, image: torch.Tensor, numbers: Collection[int]) -> dict[int, torch.Tensor]:
        """Unit features of the levels of some numbers alone, by number; the coarser, the less time it takes.

        Args:
            image: (B, 1, k, j, i) at the resolution of :meth:`input_level`.
        """
        if len(numbers) == len(self.levels) or self.context is not None:
            found = self(image)
            return {number: found[number] for number in numbers}
        return {number: self._level(image, number, number - min(numbers)) for number in numbers}

    def matched(self, image: torch.Tensor) -> torch.Tensor:
        """Unit features (B, length + more, k, j, i) of the level :data:`MATCHED`, by which points are matched.

        Args:
            image: (B, 1, k, j, i) at the resolution of :meth:`input_level` of that level.
        """
        if self.more is None or self.context is not None:
            return self.some(image, [MATCHED])[MATCHED]
        edges = edge_pyramid(image, SCALES)
        return F.normalize(torch.cat([self.more(edges), self.levels[MATCHED](edges)], 1), dim=1)

    def level(self, image: torch.Tensor, number: int) -> torch.Tensor:
        """Unit features (B, length, k/2^l, j/2^l, i/2^l) of one level alone, which takes less time."""
        return self(image)[number] if self.context is not None else self._level(image, number, number)

    def _level(self, image: torch.Tensor, number: int, halvings: int) -> torch.Tensor:
        """Unit features of one level from an image whose voxels have to be halved so many times for it."""
        edges = edge_pyramid(F.avg_pool3d(image, 2**halvings) if halvings else image, SCALES)
        return F.normalize(self.levels[number](edges), dim=1)


def _convolved(kernel: nn.Module, channels: torch.Tensor) -> torch.Tensor:
    """Channels (B, C, k, j, i) convolved with repeated ends, in the order of memory of the kernel.

    Small convolutions return another one, in which torch upsamples ten times slower.
    """
    found, by_voxel = in_halves(kernel, padded(channels)), torch.channels_last_3d
    is_by_voxel = all(
        weight.is_contiguous(memory_format=by_voxel) for weight in kernel.parameters() if weight.dim() == 5
    )
    return found.contiguous(memory_format=by_voxel) if is_by_voxel else found


def level_position(index: torch.Tensor, level: int) -> torch.Tensor:
    """Positions (...) in voxels of a level of positions (...) in input voxels."""
    return (index - (2**level - 1) / 2) / 2**level
