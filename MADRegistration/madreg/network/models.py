"""The networks: from a fixed and a moving image to the distance in mm between the same anatomy in both.

Both are fully convolutional: ``network(pair)`` takes (B, 2, k, j, i) samples on one lattice and returns a map
(B, 1, k', j', i') of distances in mm, whose voxel ``n`` lies at input voxel ``4 n``.

``fused`` is the published form (arXiv 2309.02875): a 3D ResNet on the two-channel patch; the mean of a patch's map is
its value.  ``siamese`` encodes each image alone, compares every fixed feature with every moving one, and turns the
posterior of where each fixed point lies into a distance.  It needs far fewer pairs, as it need not learn to compare.
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, fields
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..image.points import lattice_points

STRIDE = 4
UNIT_MM = 20.0


@dataclass(frozen=True)
class FusedSettings:
    """Shape of the published network.

    Attributes:
        widths: channels of the stem, at half and at quarter resolution.
        blocks: residual blocks at half resolution, and at quarter resolution, where dilation widens the view.
        head: ``distance``, or ``uncertainty``, which adds the logarithm of the expected error as a second channel.
        spacing: mm between input voxels that the network was made for.
        skip: whether a block adds its input to its output; a plain CNN does not.
    """

    widths: tuple[int, int, int] = (16, 32, 64)
    blocks: tuple[int, int] = (1, 3)
    head: str = "distance"
    spacing: float = 4.0
    skip: bool = True


@dataclass(frozen=True)
class SiameseSettings:
    """Shape of the network that encodes each image alone.

    Attributes:
        width: channels at half resolution; coarser levels have 2 and 4 times as many.
        depth: residual blocks at each coarser level.
        features: length of a feature to be matched.
        head, spacing: as in :class:`FusedSettings`.
    """

    width: int = 24
    depth: int = 2
    features: int = 32
    head: str = "distance"
    spacing: float = 4.0


NetworkSettings = FusedSettings | SiameseSettings
HEADS = ("distance", "uncertainty")


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm3d(outputs))


class Block(nn.Module):
    """Residual block of two 3^3 convolutions (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = _conv(inputs, outputs, 3, stride)
        self.second = _conv(outputs, outputs)
        self.skip = _conv(inputs, outputs, 1, stride) if stride > 1 or inputs != outputs else nn.Identity()

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
        self.stem = nn.Sequential(_conv(1, w, 5, 2), nn.ReLU())
        self.fine = Block(w, w)
        self.quarter = nn.Sequential(Block(w, 2 * w, 2), *[Block(2 * w, 2 * w) for _ in range(d - 1)])
        self.eighth = nn.Sequential(Block(2 * w, 4 * w, 2), *[Block(4 * w, 4 * w) for _ in range(d)])
        self.up = nn.Sequential(_conv(4 * w, 2 * w, 1), nn.ReLU())
        self.middle = Block(2 * w, 2 * w)
        self.lateral = _conv(w, w, 1)
        self.down = _conv(2 * w, w, 1)
        self.out = nn.Sequential(nn.ReLU(), nn.Conv3d(w, settings.features, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        fine = self.fine(self.stem(x))
        quarter = self.quarter(fine)
        quarter = self.middle(quarter + _upsampled(self.up(self.eighth(quarter)), quarter.shape[2:]))
        features = self.out(self.lateral(fine) + _upsampled(self.down(quarter), fine.shape[2:]))
        return F.normalize(features.float(), dim=1), quarter


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
    spread = (means[..., 3] - means[..., :3].square().sum(-1)).clamp(min=1e-4).sqrt()
    length = (shift.square().sum(-1) + 1e-4).sqrt()
    return torch.cat([shift, length[..., None], spread[..., None]], -1)


class _Attention(torch.autograd.Function):
    """``softmax(left @ right.T + bias) @ values``, a few rows at a time, which stay in the cache; nothing is stored.

    Differentiable in ``right`` (V, C) only; ``left`` (P, C), ``bias`` (V,) and ``values`` (V, D) are constants.
    """

    ROWS = 128

    @staticmethod
    def forward(ctx, left: torch.Tensor, right: torch.Tensor, bias: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        out = left.new_empty(len(left), values.shape[1])
        highest = left.new_empty(len(left), 1)
        total = left.new_empty(len(left), 1)
        columns = right.T
        for rows in _chunks(len(left)):
            logits = torch.addmm(bias, left[rows], columns)
            highest[rows] = logits.amax(1, keepdim=True)
            odds = logits.sub_(highest[rows]).exp_()
            total[rows] = odds.sum(1, keepdim=True)
            out[rows] = (odds @ values) / total[rows]
        ctx.save_for_backward(left, right, bias, values, out, highest, total)
        return out

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[None, torch.Tensor, None, None]:
        left, right, bias, values, out, highest, total = ctx.saved_tensors
        along = (gradient * out).sum(1, keepdim=True)
        result = torch.zeros_like(right)
        columns, row_values = right.T, values.T
        for rows in _chunks(len(left)):
            posterior = torch.addmm(bias, left[rows], columns).sub_(highest[rows]).exp_().div_(total[rows])
            posterior.mul_(torch.addmm(-along[rows], gradient[rows], row_values))
            result.addmm_(posterior.T, left[rows])
        return None, result, None, None


def _chunks(count: int) -> list[slice]:
    return [slice(n, n + _Attention.ROWS) for n in range(0, count, _Attention.ROWS)]


class _Head(nn.Module):
    """Maps at quarter resolution to the distance in mm (and, if asked, the logarithm of the expected error)."""

    def __init__(self, inputs: int, width: int, blocks: int, uncertainty: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv(inputs, width), nn.ReLU(), *[Block(width, width) for _ in range(blocks)])
        self.out = nn.Conv3d(width, 2 if uncertainty else 1, 1)
        nn.init.constant_(self.out.bias, 1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.out(self.body(x)).float()
        distance = F.softplus(x[:, :1]) * UNIT_MM
        return torch.cat([distance, x[:, 1:] - 1], 1) if x.shape[1] > 1 else distance


class SiameseNetwork(nn.Module):
    """Encodes both images alone, matches all with all, and reads the distance off the matches."""

    def __init__(self, settings: SiameseSettings = SiameseSettings()) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = Encoder(settings)
        # logits are scale * cosine - distance^2 / (2 reach^2): one far-sighted match and one that looks nearby
        self.log_scale = nn.Parameter(torch.tensor([2.7, 2.7]))
        self.log_reach = nn.Parameter(torch.tensor([60.0, 15.0]).log())
        self.head = _Head(2 * 5 + 8, 32, 2, settings.head == "uncertainty")
        self.context = nn.Conv3d(2 * settings.width, 8, 1)

    def _operands(
        self,
        fixed: torch.Tensor,
        moving: torch.Tensor,
        which: int,
        queries: torch.Tensor | None,
        keys: torch.Tensor | None,
        sharpness: float = 1.0,
        farther: float = 1.0,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """What multiplies to the logits of :meth:`match`: (B, P, C), (B, V, C) and a bias (V,)."""
        fixed = fixed[:, :, ::2, ::2, ::2]
        here = _chosen(_lattice(fixed.shape[2:], 4 * self.settings.spacing, fixed), queries)
        there = _chosen(_lattice(moving.shape[2:], 2 * self.settings.spacing, fixed), keys)
        scale = self.log_scale[which].exp() * sharpness
        curve = torch.exp(-2 * self.log_reach[which]) / farther**2
        # -|v - p|^2 / 2 folded into the product, relative to the middle so that single precision suffices
        middle = there.mean(0)
        here, there = here - middle, there - middle
        left = _chosen(fixed.flatten(2).transpose(1, 2), queries) * scale
        right = _chosen(moving.flatten(2).transpose(1, 2), keys)
        left = torch.cat([left, (here * curve).expand(len(left), -1, -1)], -1)
        right = torch.cat([right, there.expand(len(right), -1, -1)], -1)
        return left, right, -0.5 * curve * there.square().sum(-1)

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
        left, right, bias = self._operands(fixed, moving, which, queries, keys)
        return torch.baddbmm(bias[None, None], left, right.transpose(1, 2))

    def moments(
        self,
        posterior: torch.Tensor,
        shape: tuple[int, ...],
        moving_shape: tuple[int, ...],
        queries: torch.Tensor | None = None,
        keys: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """What the posterior (B, P, V) says of each fixed point: (B, P, 5).

        Mean displacement (x, y, z), its length, and the spread about it, in units of 20 mm.
        """
        here, values = self._positions(shape, moving_shape, queries, keys, posterior)
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
        here, values = self._positions(shape, tuple(moving.shape[2:]), queries, keys, moving)
        left, right, bias = self._operands(fixed, moving, which, queries, keys, sharpness, farther)
        means = [
            _Attention.apply(one.detach(), other, bias.detach(), values) for one, other in zip(left, right, strict=True)
        ]
        return _summary(torch.stack(means), here)

    def _positions(
        self,
        shape: tuple[int, ...],
        moving_shape: tuple[int, ...],
        queries: torch.Tensor | None,
        keys: torch.Tensor | None,
        like: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Fixed points (P, 3), and moving points with their squared length (V, 4), in units of 20 mm."""
        here = _chosen(_lattice(shape, 4 * self.settings.spacing, like), queries)
        there = _chosen(_lattice(moving_shape, 2 * self.settings.spacing, like), keys)
        middle = there.mean(0)
        here, there = (here - middle) / UNIT_MM, (there - middle) / UNIT_MM
        return here, torch.cat([there, there.square().sum(-1, keepdim=True)], -1)

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

    def __init__(self, settings: FusedSettings = FusedSettings()) -> None:
        super().__init__()
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


DistanceNetwork = FusedNetwork | SiameseNetwork


def build(settings: NetworkSettings) -> DistanceNetwork:
    """A network with random weights.

    Raises:
        ValueError: for an unknown head.
    """
    if settings.head not in HEADS:
        raise ValueError(f"unknown head {settings.head!r}: choose one of {', '.join(HEADS)}")
    return SiameseNetwork(settings) if isinstance(settings, SiameseSettings) else FusedNetwork(settings)


def folded(network: DistanceNetwork) -> DistanceNetwork:
    """The same network in eval mode, each batch norm folded into the convolution before it: quicker, not trainable."""
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if isinstance(module, nn.Sequential) and len(module) > 1 and isinstance(module[1], nn.BatchNorm3d):
            module[0] = nn.utils.fusion.fuse_conv_bn_eval(module[0], module[1])
            module[1] = nn.Identity()
    return network


def plain(settings: NetworkSettings) -> dict:
    """Settings as plain types, to be stored beside the weights."""
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(settings).items()}
    return {"encoder": "siamese" if isinstance(settings, SiameseSettings) else "fused", **values}


def settings_of(values: dict) -> NetworkSettings:
    """Inverse of :func:`plain`.

    Raises:
        ValueError: if there is no such network.
    """
    kinds = {"siamese": SiameseSettings, "fused": FusedSettings}
    if values.get("encoder") not in kinds:
        raise ValueError(f"unknown encoder {values.get('encoder')!r}")
    kind = kinds[values["encoder"]]
    known = {f.name for f in fields(kind)}
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known})
