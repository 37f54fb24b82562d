"""The network that encodes each image alone, and derives the distance from their matches."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ..image.points import lattice_points
from .attention import Attention
from .layers import Encoder, Head
from .settings import UNIT_MM, SiameseSettings


def _lattice(shape: torch.Size | tuple[int, ...], spacing: float, like: torch.Tensor) -> torch.Tensor:
    """Positions (k*j*i, 3) of a lattice in mm, x y z order, from its first voxel."""
    axes = [torch.arange(n, device=like.device, dtype=torch.float32) * spacing for n in shape]
    return lattice_points(*axes).reshape(-1, 3)


def _chosen(rows: torch.Tensor, which: torch.Tensor | None) -> torch.Tensor:
    """Some rows of (..., N, C), or all of them."""
    return rows if which is None else rows.index_select(-2, which)


def _summary(means: torch.Tensor, here: torch.Tensor) -> torch.Tensor:
    """Posterior means (B, P, 4) of position and squared length to (B, P, 5), see :meth:`SiameseNetwork.moments`."""
    shift = means[..., :3] - here
    deviation = (means[..., 3] - means[..., :3].square().sum(-1)).clamp(min=1e-4).sqrt()
    length = (shift.square().sum(-1) + 1e-4).sqrt()
    return torch.cat([shift, length[..., None], deviation[..., None]], -1)


class SiameseNetwork(nn.Module):
    """Encodes each image alone, matches all features with all, and derives the distance from the matches."""

    def __init__(self, settings: SiameseSettings | None = None) -> None:
        super().__init__()
        settings = settings or SiameseSettings()
        self.settings = settings
        self.encoder = Encoder(settings)
        # logits are scale * cosine - distance^2 / (2 reach^2): one match at long range and one at short range
        self.log_scale = nn.Parameter(torch.tensor([2.7, 2.7]))
        self.log_reach = nn.Parameter(torch.tensor([60.0, 15.0]).log())
        self.head = Head(2 * 5 + 8, 32, 2, settings.head == "uncertainty")
        self.context = nn.Conv3d(2 * settings.width, 8, 1)

    def match(
        self,
        fixed: torch.Tensor,
        moving: torch.Tensor,
        which: int = 0,
        queries: torch.Tensor | None = None,
        keys: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Logits (B, P, V) that fixed point P (every fourth voxel) is moving point V (every second voxel).

        Args:
            fixed, moving: features (B, features, k, j, i) of :class:`Encoder`.
            which: 0 and 1, two ways of matching that were trained together.
            queries, keys: indices into the flattened lattices, to look only for these and only there.
        """
        left, right, bias = _operands(self, fixed, moving, which, queries, keys)
        return torch.baddbmm(bias[None, None], left, right.transpose(1, 2))

    def moments(
        self,
        posterior: torch.Tensor,
        shape: tuple[int, ...],
        moving_shape: tuple[int, ...],
        queries: torch.Tensor | None = None,
        keys: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Moments of the posterior (B, P, V) of each fixed point: (B, P, 5).

        Mean displacement (x, y, z), its length, and the deviation about it, in units of 20 mm.
        """
        here, values = _positions(shape, moving_shape, queries, keys, posterior, self.settings.spacing)
        return _summary(posterior @ values, here)

    def matched_moments(
        self,
        fixed: torch.Tensor,
        moving: torch.Tensor,
        which: int,
        queries: torch.Tensor | None = None,
        keys: torch.Tensor | None = None,
        sharpness: float = 1.0,
        farther: float = 1.0,
    ) -> torch.Tensor:
        """:meth:`moments` of :meth:`match`, without ever holding all posteriors, and differentiable in ``moving``.

        ``sharpness`` times the weight of the features, looking ``farther`` times as far as in training.
        """
        shape = tuple((n + 1) // 2 for n in fixed.shape[2:])
        here, values = _positions(shape, tuple(moving.shape[2:]), queries, keys, moving, self.settings.spacing)
        left, right, bias = _operands(self, fixed, moving, which, queries, keys, sharpness, farther)
        means = [
            Attention.apply(one.detach(), other, bias.detach(), values) for one, other in zip(left, right, strict=True)
        ]
        return _summary(torch.stack(means), here)

    def measure(
        self,
        fixed: tuple[torch.Tensor, torch.Tensor],
        moving: tuple[torch.Tensor, torch.Tensor],
        queries: torch.Tensor,
        keys: torch.Tensor,
    ) -> torch.Tensor:
        """Distance map (B, 1, k', j', i') in mm from two encodings, differentiable in the moving one alone.

        What ``queries`` leaves out counts as background, which matches itself anywhere around.
        """
        shape = tuple((n + 1) // 2 for n in fixed[0].shape[2:])
        maps = []
        for which in (0, 1):
            found = self.matched_moments(fixed[0], moving[0], which, queries, keys)
            reach = self.log_reach[which].detach().exp() * 3**0.5 / UNIT_MM
            nothing = torch.stack([*torch.tensor([0.0, 0.0, 0.0, 0.01]).to(reach), reach.clamp(max=2.5)])
            found = nothing.expand(len(found), int(np.prod(shape)), 5).index_copy(1, queries, found)
            maps.append(found.transpose(1, 2).reshape(len(found), 5, *shape))
        return self.head(torch.cat([*maps, self.context(fixed[1].float())], 1))

    def compare(
        self,
        fixed: tuple[torch.Tensor, torch.Tensor],
        moving: tuple[torch.Tensor, torch.Tensor],
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Distance map (B, 1, k', j', i') in mm, and both posteriors (B, P, V), from two encodings."""
        shape = tuple((n + 1) // 2 for n in fixed[0].shape[2:])
        moving_shape = tuple(moving[0].shape[2:])
        posteriors = [self.match(fixed[0], moving[0], which).softmax(-1) for which in (0, 1)]
        maps = [self.moments(one, shape, moving_shape) for one in posteriors]
        maps = [one.transpose(1, 2).reshape(len(one), 5, *shape) for one in maps]
        return self.head(torch.cat([*maps, self.context(fixed[1].float())], 1)), posteriors

    def forward(self, pair: torch.Tensor) -> torch.Tensor:
        batch = len(pair)
        features, context = self.encoder(torch.cat([pair[:, :1], pair[:, 1:]]))
        return self.compare((features[:batch], context[:batch]), (features[batch:], context[batch:]))[0]


def _operands(
    network: SiameseNetwork,
    fixed: torch.Tensor,
    moving: torch.Tensor,
    which: int,
    queries: torch.Tensor | None,
    keys: torch.Tensor | None,
    sharpness: float = 1.0,
    farther: float = 1.0,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What multiplies to the logits of :meth:`SiameseNetwork.match`: (B, P, C), (B, V, C) and a bias (V,)."""
    fixed = fixed[:, :, ::2, ::2, ::2]
    here = _chosen(_lattice(fixed.shape[2:], 4 * network.settings.spacing, fixed), queries)
    there = _chosen(_lattice(moving.shape[2:], 2 * network.settings.spacing, fixed), keys)
    scale = network.log_scale[which].exp() * sharpness
    curve = torch.exp(-2 * network.log_reach[which]) / farther**2
    # -|v - p|^2 / 2 folded into the product, relative to the middle so that single precision suffices
    middle = there.mean(0)
    here, there = here - middle, there - middle
    left = _chosen(fixed.flatten(2).transpose(1, 2), queries) * scale
    right = _chosen(moving.flatten(2).transpose(1, 2), keys)
    left = torch.cat([left, (here * curve).expand(len(left), -1, -1)], -1)
    right = torch.cat([right, there.expand(len(right), -1, -1)], -1)
    return left, right, -0.5 * curve * there.square().sum(-1)


def _positions(
    shape: tuple[int, ...],
    moving_shape: tuple[int, ...],
    queries: torch.Tensor | None,
    keys: torch.Tensor | None,
    like: torch.Tensor,
    spacing: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fixed points (P, 3), and moving points with their squared length (V, 4), in units of 20 mm."""
    here = _chosen(_lattice(shape, 4 * spacing, like), queries)
    there = _chosen(_lattice(moving_shape, 2 * spacing, like), keys)
    middle = there.mean(0)
    here, there = (here - middle) / UNIT_MM, (there - middle) / UNIT_MM
    return here, torch.cat([there, there.square().sum(-1, keepdim=True)], -1)
