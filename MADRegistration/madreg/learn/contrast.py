"""The loss of features in training: where the points of one scan lie in the other.

InfoNCE (van den Oord et al. 2018, "Representation learning with contrastive predictive coding"): at each level the
feature of a point of the first scan is compared with those of many places of the second one, and the loss is the
cross-entropy with where it truly lies.  The places are the voxels around the true one at the finest level, and all
voxels at the others.
"""

from __future__ import annotations

import torch
from torch import nn

from ..network.features import FeatureNetwork, level_position
from .discriminant import unit_at
from .views import Views

REACH = 3
"""Voxels on each side of the true place that count as places at the finest level."""


class Sharpness(nn.Module):
    """By what the cosines of each level are multiplied before they compete."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.logarithms = nn.Parameter(torch.full((levels,), 2.3))

    def forward(self) -> torch.Tensor:
        return self.logarithms.clamp(0.0, 4.0).exp()


def contrast(network: FeatureNetwork, sharpness: Sharpness, views: Views, is_half: bool = False) -> torch.Tensor:
    """Mean cross-entropy (levels,) over the valid points of a batch.

    Args:
        is_half: whether the network computes in bfloat16; comparison needs all digits.
    """
    with torch.autocast(views.images[0].device.type, torch.bfloat16, enabled=is_half):
        fixed, moving = ([level.float() for level in network(image)] for image in views.images)
    weight = views.valid.float()
    losses = []
    for level, scale in enumerate(sharpness()):
        queries = unit_at(fixed[level], views.points, level)
        entropy = _near if level == 0 else _anywhere
        found = entropy(queries, moving[level], level_position(views.targets, level), scale)
        losses.append((found * weight).sum() / weight.sum().clamp(min=1))
    return torch.stack(losses)


def _near(queries: torch.Tensor, features: torch.Tensor, targets: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Cross-entropy (B, P) of queries (B, P, C) with the voxels around targets (B, P, 3) of features."""
    last = torch.tensor(features.shape[:1:-1], device=targets.device) - 1.0
    one = torch.arange(-REACH, REACH + 1.0, device=targets.device)
    places = targets.round()[:, :, None] + torch.cartesian_prod(one, one, one)
    there = ((places >= 0) & (places <= last)).all(-1)
    values = _at_voxels(features, torch.minimum(places.clamp(min=0), last))
    logits = (scale * torch.einsum("bpc,bpvc->bpv", queries, values)).masked_fill(~there, -1e4)
    share = (1 - (places - targets[:, :, None]).abs()).clamp(min=0).prod(-1) * there
    share = share / share.sum(-1, keepdim=True).clamp(min=1e-6)
    return logits.logsumexp(2) - (logits * share).sum(2)


def _anywhere(
    queries: torch.Tensor, features: torch.Tensor, targets: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy (B, P) of queries (B, P, C) with all voxels of features; the mass lies on the eight around."""
    logits = scale * torch.bmm(queries, features.flatten(2))
    last = torch.tensor(features.shape[:1:-1], device=targets.device) - 1.0
    targets = torch.minimum(targets.clamp(min=0), last)
    one = torch.arange(2.0, device=targets.device)
    places = targets.floor()[:, :, None] + torch.cartesian_prod(one, one, one)
    share = (1 - (places - targets[:, :, None]).abs()).clamp(min=0).prod(-1)
    index = _flat(torch.minimum(places, last), features.shape[2:])
    return logits.logsumexp(2) - (logits.gather(2, index) * share).sum(2)


def _flat(voxels: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Index of voxels (..., 3), x y z order, in a flattened (k, j, i)."""
    x, y, z = voxels.long().unbind(-1)
    return (z * shape[1] + y) * shape[2] + x


def _at_voxels(features: torch.Tensor, voxels: torch.Tensor) -> torch.Tensor:
    """Features (B, P, V, C) of (B, C, k, j, i) at whole voxels (B, P, V, 3)."""
    index = _flat(voxels, features.shape[2:])
    rows = features.flatten(2).transpose(1, 2)
    batch = torch.arange(len(rows), device=rows.device)[:, None, None]
    return rows[batch, index]
