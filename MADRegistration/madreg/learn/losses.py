"""What a network that predicts distances is trained to lower, and the labels it is compared with."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..network.models import DistanceNetwork
from ..network.settings import STRIDE, UNIT_MM
from ..network.siamese import SiameseNetwork
from .pairs import displacements
from .training_settings import TrainingSettings

FARTHEST = 80.0  # mm; a label beyond this is as far as a crop of this size shows


def labels_of(batch: dict[str, torch.Tensor], points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Displacements (B, k', j', i', 3) and distances (B, k', j', i') in mm at a crop's labelled points."""
    vectors = displacements(batch["transform"], points[::STRIDE, ::STRIDE, ::STRIDE])
    return vectors, vectors.norm(dim=-1)


def middle_distances(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Distances (B, 1, 1, 1) in mm at the middles of crops, the labels of ``patches``."""
    middle = torch.zeros(1, 1, 1, 3, device=batch["transform"].device)
    return displacements(batch["transform"], middle).norm(dim=-1)


def matching_loss(
    posterior: torch.Tensor, vectors: torch.Tensor, batch: dict[str, torch.Tensor], points: torch.Tensor, spacing: float
) -> torch.Tensor:
    """Cross-entropy between the posterior (B, P, V) and the eight moving voxels around the true match."""
    targets = points[::STRIDE, ::STRIDE, ::STRIDE] + vectors
    index = (targets - points[0, 0, 0]) / (2 * spacing)  # in moving feature voxels, x y z order
    shape = [(n + 1) // 2 for n in batch["moving"].shape[2:]]
    size = torch.tensor(shape[::-1], device=index.device)
    low = index.floor()
    inside = ((low >= 0) & (low + 1 <= size - 1)).all(-1)
    low = low.clamp(min=0).minimum(size.to(low) - 2)
    part = (index - low).clamp(0, 1)
    seen = F.avg_pool3d(batch["visible"], 3, 2, 1, count_include_pad=False)[:, 0].flatten(1)
    indices, shares = [], []
    for corner in range(8):
        bits = torch.tensor([(corner >> axis) & 1 for axis in range(3)], device=index.device)
        at = (low + bits).long()
        indices.append((at[..., 2] * shape[1] + at[..., 1]) * shape[2] + at[..., 0])
        shares.append(torch.where(bits.bool(), part, 1 - part).prod(-1))
    flat, weights = torch.stack(indices, -1).flatten(1, 3), torch.stack(shares, -1).flatten(1, 3)
    visible = seen.gather(1, flat[..., 0]) > 0.3
    counts = (batch["weight"].flatten(1) > 0) & inside.flatten(1) & visible
    chosen = posterior.gather(2, flat).clamp(min=1e-9).log()
    loss = -(chosen * weights).sum(-1)
    return (loss * counts).sum() / counts.sum().clamp(min=1)


def losses(
    network: DistanceNetwork, batch: dict[str, torch.Tensor], points: torch.Tensor, settings: TrainingSettings
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Loss to minimize, mean squared error in mm^2, and matching loss of a batch, each a single number ().

    Args:
        points: (k', j', i', 3) mm from the middle of a crop, at which distances are predicted.
    """
    vectors, truth = labels_of(batch, points)
    maps, matching = _predicted(network, batch, vectors, points, settings)
    weight = batch["weight"]
    if settings.sampling == "patches":
        maps, truth = maps.mean((2, 3, 4), keepdim=True), middle_distances(batch)
        weight = torch.ones_like(truth)
    square = ((maps[:, 0] - truth.clamp(max=FARTHEST)) / UNIT_MM).square()
    mean = (square * weight).sum() / weight.sum().clamp(min=1)
    loss = mean
    if maps.shape[1] > 1:
        deviation = maps[:, 1].clamp(-4, 3)
        likelihood = square.detach() * torch.exp(-2 * deviation) / 2 + deviation
        loss = mean + 0.1 * (likelihood * weight).sum() / weight.sum().clamp(min=1)
    return loss + settings.matching * matching, mean.detach() * UNIT_MM**2, matching.detach()


def _predicted(
    network: DistanceNetwork,
    batch: dict[str, torch.Tensor],
    vectors: torch.Tensor,
    points: torch.Tensor,
    settings: TrainingSettings,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Maps (B, C, k', j', i') of a network, and the matching loss, 0 where none is asked for."""
    pair = torch.cat([batch["fixed"], batch["moving"]], 1)
    matching = torch.zeros((), device=pair.device)
    if not isinstance(network, SiameseNetwork):
        return network(pair).float(), matching
    features, context = network.encoder(torch.cat([pair[:, :1], pair[:, 1:]]))
    n = len(pair)
    with torch.autocast(pair.device.type, enabled=False):
        maps, posteriors = network.compare(
            (features[:n].float(), context[:n].float()), (features[n:].float(), context[n:].float())
        )
        if settings.matching and settings.sampling == "dense":
            spacing = network.settings.spacing
            matching = matching_loss(posteriors[0], vectors, batch, points, spacing)
            matching = matching + matching_loss(posteriors[1], vectors, batch, points, spacing) / 2
    return maps.float(), matching
