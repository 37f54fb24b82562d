"""What MAD's networks predict for one fixed image and any number of moving ones, sampled on one lattice."""

from __future__ import annotations

import torch

from ..image.morphology import dilate
from ..network.fused import FusedNetwork
from ..network.models import DistanceNetwork, folded
from ..network.settings import UNIT_MM
from ..network.siamese import SiameseNetwork

FEWEST_KEYS = 8  # moving features; fewer are none to match with


class FusedPredictor:
    """Distances that the published form of the network predicts.

    Args:
        fixed: values (B, 1, k, j, i) on the lattice.
    """

    def __init__(self, network: FusedNetwork, fixed: torch.Tensor) -> None:
        self.network, self.fixed = network, fixed

    def __call__(self, moving: torch.Tensor) -> torch.Tensor:
        """Distances (B, k', j', i') in mm for moving values (B, k, j, i); differentiable in them."""
        return self.network(torch.cat([self.fixed, moving[:, None]], 1))[:, 0]


class SiamesePredictor:
    """Distances and matches of the network that encodes each image alone; the fixed one is encoded once.

    Args:
        fixed: values (B, 1, k, j, i) on the lattice.
        queries: (n,) flat indices of the fixed features that are matched; None for all.
    """

    def __init__(self, network: SiameseNetwork, fixed: torch.Tensor, queries: torch.Tensor | None) -> None:
        self.network, self.queries = network, queries
        # where the processor multiplies bfloat16 natively, that is twice as fast
        self.uses_bfloat16 = fixed.device.type == "cpu" and _has_native_bfloat16()
        with torch.no_grad():
            self.fixed = self.encoded(fixed)

    def encoded(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features and context of images (B, 1, k, j, i), see :class:`~madreg.network.layers.Encoder`."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.uses_bfloat16):
            features, context = self.network.encoder(images)
        return features.float(), context.float()

    def __call__(self, moving: torch.Tensor) -> torch.Tensor:
        """Distances (B, k', j', i') in mm for moving values (B, k, j, i); differentiable in them."""
        encoded = self.encoded(moving[:, None])
        if self.queries is None:
            return self.network.compare(self.fixed, encoded)[0][:, 0]
        return self.network.measure(self.fixed, encoded, self.queries, _keys(moving))[:, 0]

    def moments(self, moving: torch.Tensor, queries: torch.Tensor, sharpness: float, farther: float) -> torch.Tensor:
        """Matches (n, 5) in mm of some fixed features: see :meth:`SiameseNetwork.moments`.

        Args:
            moving: values (1, k, j, i).
            queries: (n,) flat indices of the fixed features.
            sharpness, farther: as in :meth:`SiameseNetwork.matched_moments`.
        """
        features = self.encoded(moving[:, None])[0]
        keys = _keys(moving)
        return UNIT_MM * self.network.matched_moments(self.fixed[0], features, 0, queries, keys, sharpness, farther)[0]


def predictor(
    network: DistanceNetwork, fixed: torch.Tensor, queries: torch.Tensor | None
) -> FusedPredictor | SiamesePredictor:
    """The predictor of a network for a fixed image (B, 1, k, j, i); arguments as of :class:`SiamesePredictor`."""
    quick = folded(network)
    if isinstance(quick, SiameseNetwork):
        return SiamesePredictor(quick, fixed, queries)
    return FusedPredictor(quick, fixed)


def _keys(moving: torch.Tensor) -> torch.Tensor:
    """Indices of the moving features (1, k, j, i every second voxel) that lie in or next to something bright."""
    near = dilate(moving.detach()[0], (1, 1, 1))[::2, ::2, ::2].flatten()
    keys = torch.nonzero(near > 0.1)[:, 0]
    return keys if len(keys) > FEWEST_KEYS else torch.arange(len(near), device=near.device)


def _has_native_bfloat16() -> bool:
    known = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return bool(known())
