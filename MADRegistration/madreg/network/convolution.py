"""Convolutions of one image as fast as those of several."""

from __future__ import annotations

import torch
from torch import nn

ALONE_SLOW = 20480
"""Values (C, k, j) of an image for a fixed i, up to which torch does not compute it by oneDNN."""


def in_halves(kernel: nn.Module, image: torch.Tensor) -> torch.Tensor:
    """Images (B, C, k, j, i) convolved by 3x3x3 voxels, without those at the ends; one alone as a batch of its halves.

    On a processor torch computes a batch of one with few values by another method than oneDNN's, which takes four times
    as long (``use_mkldnn`` in torch's Convolution.cpp).
    """
    planes = image.shape[2] - 2
    is_slow = image.device.type == "cpu" and len(image) == 1 and image[0, :, :, :, 0].numel() <= ALONE_SLOW
    if not is_slow or planes < 2:
        found: torch.Tensor = kernel(image)
        return found
    half = (planes + 1) // 2
    first, second = kernel(torch.cat([image[:, :, : half + 2], image[:, :, planes - half :]])).split(1)
    return torch.cat([first, second[:, :, 2 * half - planes :]], 2)
