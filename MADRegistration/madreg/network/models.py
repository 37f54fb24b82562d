"""The networks: from a fixed and a moving image to the distance in mm between the same anatomy in both.

Two of them are fully convolutional: ``network(pair)`` takes (B, 2, k, j, i) samples on one lattice and returns a map
(B, 1, k', j', i') of distances in mm, whose voxel ``n`` lies at input voxel ``4 n``.

``fused`` is the published form (arXiv 2309.02875): a 3D ResNet on the two-channel patch; the mean of a patch's map is
its value.  ``siamese`` encodes each image alone, compares every fixed feature with every moving one, and turns the
posterior of where each fixed point lies into a distance.  It needs far fewer pairs, as it need not learn to compare.

:class:`FeatureNetwork` predicts no distance: it makes the features that :mod:`madreg.measures.feature_mad` compares.
"""

from __future__ import annotations

import copy
from typing import TypeVar, overload

import torch
from torch import nn

from .features import FeatureNetwork
from .fused import FusedNetwork
from .settings import HEADS, DistanceSettings, FeatureSettings, NetworkSettings, SiameseSettings
from .siamese import SiameseNetwork

DistanceNetwork = FusedNetwork | SiameseNetwork
Network = DistanceNetwork | FeatureNetwork
Placed = TypeVar("Placed", FusedNetwork, SiameseNetwork, FeatureNetwork, DistanceNetwork, Network)


@overload
def build(settings: DistanceSettings) -> DistanceNetwork: ...
@overload
def build(settings: NetworkSettings) -> Network: ...
def build(settings: NetworkSettings) -> Network:
    """A network with random weights.

    Raises:
        ValueError: for an unknown head.
    """
    if isinstance(settings, FeatureSettings):
        return FeatureNetwork(settings)
    if settings.head not in HEADS:
        raise ValueError(f"unknown head {settings.head!r}: choose one of {', '.join(HEADS)}")
    return SiameseNetwork(settings) if isinstance(settings, SiameseSettings) else FusedNetwork(settings)


def folded(network: DistanceNetwork) -> DistanceNetwork:
    """The same network in eval mode, each batch norm folded into the convolution before it: quicker, not trainable."""
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if isinstance(module, nn.Sequential) and len(module) > 1 and isinstance(module[1], nn.BatchNorm3d):
            convolution = module[0]
            assert isinstance(convolution, nn.Conv3d)
            module[0] = nn.utils.fusion.fuse_conv_bn_eval(convolution, module[1])
            module[1] = nn.Identity()
    return network


def placed(network: Placed, device: torch.device | str) -> Placed:
    """The network on a device, in the memory layout in which 3D convolutions are fastest."""
    return network.to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
