"""Features found in closed form: those linear features of edges by which places of a body differ most.

Linear discriminant analysis of descriptors, after Cai, Mikolajczyk and Matas 2011, "Learning linear discriminant
projections for dimensionality reduction of image descriptors".  A descriptor holds the channels of
:mod:`madreg.network.edges` at 27 voxels around a point at each of several scales.  Descriptors of one place in two
scans of one body differ by their scatter ``W``, those of different places by ``B``: at the finest level places 1 to 3
voxels apart, at the others any places.  Features are the eigenvectors of ``B v = g W v`` with the largest ``g``,
weighted as the logarithm of the odds "same place" of normal variables with correlation ``1 - 1/g`` weights them.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F

from ..network.edges import CHANNELS, edge_pyramid
from ..network.features import MATCHED, SCALES, FeatureNetwork, level_position
from ..network.settings import FeatureSettings
from ..system.files import bytes_content, write_file
from .random_draw import Draw
from .views import Views, ViewSampler

RIDGE = 0.02
"""Of the mean variance, so much is added to the within scatter."""
NEAR = (1.0, 3.0)
"""Voxels between a point and the other places of the finest level."""
BLOCK = 27 * CHANNELS
"""Numbers of a descriptor at one scale."""


def values_at(voxels: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Values of (B, C, k, j, i) at ``points`` (B, P, 3), x y z order in voxels: (B, P, C)."""
    size = torch.tensor(voxels.shape[:1:-1], device=points.device, dtype=points.dtype)
    where = points * (2 / (size - 1)) - 1
    found = F.grid_sample(voxels, where[:, :, None, None], mode="bilinear", padding_mode="border", align_corners=True)
    return found[..., 0, 0].transpose(1, 2)


def descriptors(edges: list[torch.Tensor], points: torch.Tensor) -> torch.Tensor:
    """Channels around points (B, P, 3) in voxels, x y z order: (B, P, scales * 27 * channels)."""
    one = torch.arange(-1.0, 2.0, device=points.device)
    cube = torch.cartesian_prod(one, one, one).flip(1)  # x fastest, as in a convolution's kernel
    found = []
    for scale, channels in enumerate(edges):
        around = level_position(points, scale)[:, :, None] + cube
        found.append(values_at(channels, around.flatten(1, 2)).unflatten(1, around.shape[1:3]).flatten(2))
    return torch.cat(found, 2)


class Scatter:
    """Second moments of differences of descriptors, summed up batch by batch.

    Args:
        scales: how many scales the descriptors hold.
    """

    def __init__(self, scales: int) -> None:
        size, self.scales = scales * BLOCK, scales
        self.within, self.near, self.anywhere = (torch.zeros(size, size, dtype=torch.float64) for _ in range(3))
        self.mean = torch.zeros(size, dtype=torch.float64)
        self.count, self.batches = 0, 0

    def add(self, views: Views, draw: Draw) -> None:
        """Take in a batch; the draw is of so many samples as the batch."""
        self.batches += 1
        first, second = (edge_pyramid(image, self.scales) for image in views.images)
        direction = F.normalize(draw.normal(views.targets.shape[1], 3), dim=-1)
        apart = direction * draw.uniform(*NEAR, views.targets.shape[1], 1)
        here = descriptors(first, views.points)[views.valid].cpu()
        there = descriptors(second, views.targets)[views.valid].cpu()
        beside = descriptors(second, views.targets + apart)[views.valid].cpu()
        if len(here) < 2:
            return
        elsewhere = there[draw.order(len(there))]
        pairs = ((self.within, there), (self.near, beside), (self.anywhere, elsewhere))
        for total, other in pairs:
            difference = here - other
            total += (difference.T @ difference).double()
        self.mean += (here.sum(0) + there.sum(0)).double()
        self.count += len(here)

    def projection(self, level: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights (length, SCALES * BLOCK) and offsets (length,) of the features of a level, the best ones last.

        Raises:
            ValueError: without any points.
        """
        if not self.count:
            raise ValueError("there are no corresponding points to learn from")
        part = slice(level * BLOCK, (level + SCALES) * BLOCK)
        between = (self.near if level == 0 else self.anywhere)[part, part] / self.count
        within, mean = self.within[part, part] / self.count, self.mean[part] / (2 * self.count)
        within = within + RIDGE * within.diagonal().mean() * torch.eye(len(within), dtype=torch.float64)
        lower = torch.linalg.inv(torch.linalg.cholesky(within))
        gain, vectors = torch.linalg.eigh(lower @ between @ lower.T)
        gain, vectors = gain[-length:].clamp(min=1.001), (lower.T @ vectors)[:, -length:]
        same = 1 - 1 / gain  # correlation of the two descriptors of one place
        weights = (vectors * (same / (1 - same.square())).sqrt() / (gain / 2).sqrt()).T
        return weights.float(), -(weights @ mean).float()

    def save(self, path: Path) -> None:
        """Write the sums, whole or not at all."""
        stream = io.BytesIO()
        torch.save(vars(self), stream)
        write_file(path, bytes_content(stream.getvalue()))

    def resume(self, path: Path) -> None:
        """Continue from a file of :meth:`save`."""
        vars(self).update(torch.load(path, map_location="cpu", weights_only=True))


@torch.no_grad()
def network_of(scatter: Scatter, settings: FeatureSettings) -> FeatureNetwork:
    """The network, in eval mode, with the features that some sums yield."""
    network = FeatureNetwork(settings)
    for number, (level, length) in enumerate(zip(network.each_level(), settings.levels, strict=True)):
        more = network.more if number == MATCHED else None
        weights, offsets = scatter.projection(number, length if more is None else length + settings.more)
        level.set_kernels(_kernels(weights[-length:]), offsets[-length:])
        if more is not None:
            more.set_kernels(_kernels(weights[:-length]), offsets[:-length])
    return network.eval().requires_grad_(False)


def _kernels(weights: torch.Tensor) -> list[torch.Tensor]:
    """Weights (length, SCALES * BLOCK) as kernels (length, channels, 3, 3, 3), one a scale."""
    parts = weights.unflatten(1, (SCALES, 27, CHANNELS)).unbind(1)
    return [part.unflatten(1, (3, 3, 3)).permute(0, 4, 1, 2, 3) for part in parts]


def train_features(
    sampler: ViewSampler,
    out: Path,
    settings: FeatureSettings,
    batches: int,
    count: int = 2,
    say: Callable[[str], None] | None = None,
    until: int | None = None,
) -> FeatureNetwork:
    """Sum up batches and find the features, or go on with what ``out`` holds.

    Args:
        out: folder for ``scatter.pt``.
        batches: so many in all.
        count: bodies a batch.
        say: called with a line every 25 batches.
        until: stop after so many batches, as if interrupted.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "scatter.pt"
    scatter = Scatter(FeatureNetwork(settings).scales)
    if checkpoint.exists():
        scatter.resume(checkpoint)
    while scatter.batches < min(batches, batches if until is None else until):
        number = scatter.batches
        scatter.add(sampler.batch(number, count), Draw(number, count, sampler.device))
        if scatter.batches % 25 == 0 or scatter.batches == batches:
            scatter.save(checkpoint)
            if say:
                say(f"batch={scatter.batches} points={scatter.count}")
    scatter.save(checkpoint)
    return network_of(scatter, settings)


@torch.no_grad()
def discrimination(network: FeatureNetwork, sampler: ViewSampler, batches: int, start: int = 0) -> list[float]:
    """How often features of the right place are more alike than those of another one, for each level (0.5: chance).

    The other place is 1 to 3 voxels away at the finest level, and anywhere in the same scan at the others.

    Args:
        start: number of the first batch.
    """
    right, total = [0.0] * len(network.levels), 0
    for number in range(start, start + batches):
        views, draw = sampler.batch(number, 2), Draw(number, 2, sampler.device)
        first, second = (network(image) for image in views.images)
        apart = F.normalize(draw.normal(views.targets.shape[1], 3), dim=-1) * draw.uniform(*NEAR, 1, 1)
        elsewhere = views.targets[:, draw.order(views.targets.shape[1]).to(sampler.device)]
        for level, (fixed, moving) in enumerate(zip(first, second, strict=True)):
            here = unit_at(fixed, views.points, level)
            there = (here * unit_at(moving, views.targets, level)).sum(-1)
            other = views.targets + apart if level == 0 else elsewhere
            wrong = (here * unit_at(moving, other, level)).sum(-1)
            right[level] += float(((there > wrong) & views.valid).sum())
        total += int(views.valid.sum())
    return [round(one / max(total, 1), 4) for one in right]


def unit_at(features: torch.Tensor, points: torch.Tensor, level: int) -> torch.Tensor:
    """Unit features (B, P, C) of a level (B, C, k, j, i) at points (B, P, 3), x y z order in voxels of the input."""
    return F.normalize(values_at(features, level_position(points, level)), dim=-1)
