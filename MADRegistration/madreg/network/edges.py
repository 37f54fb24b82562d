"""What a feature network is given: the image, and its edges in a form that does not change when contrast is inverted.

Everything is computed from a few voxels around, so nothing depends on how far the field of view reaches.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

CHANNELS = 8
NOISE = 0.015
"""Change of intensity per voxel below which an edge counts as noise; images are 0 to about 1."""
REACH = 2
"""Voxels on each side over which edges and intensities are compared with those around."""


def padded(x: torch.Tensor) -> torch.Tensor:
    """Voxels (B, C, k, j, i) with the ends repeated once on every side."""
    return F.pad(x, [1] * 6, mode="replicate")


def local_mean(x: torch.Tensor) -> torch.Tensor:
    """Mean of (B, C, k, j, i) over a cube of ``2 REACH + 1`` voxels; what lies beyond the lattice does not count."""
    for axis in range(3):
        size, ends = [1, 1, 1], [0, 0, 0]
        ends[axis] = min(REACH, (x.shape[2 + axis] - 1) // 2)
        size[axis] = 2 * ends[axis] + 1
        x = F.avg_pool3d(x, size, 1, ends, count_include_pad=False)
    return x


def edge_channels(image: torch.Tensor) -> torch.Tensor:
    """Channels of images (B, 1, k, j, i), 0 the background and about 1 the brightest: (B, 8, k, j, i).

    They are the intensity; the intensity relative to those around; and the products ``n_a n_b`` of the components of
    ``n = g / sqrt(|g|^2 + eta^2)``, the gradient relative to the gradients around (Haber and Modersitzki 2006, with a
    local ``eta``).  The products keep the direction of an edge and drop its sign.
    """
    mean = local_mean(torch.cat([image, image.square()], 1))
    deviation = (mean[:, 1:] - mean[:, :1].square()).clamp(min=0).add(NOISE**2).sqrt()
    relative = (image - mean[:, :1]) / deviation
    wide, middle = padded(image), slice(1, -1)
    gradient = 0.5 * torch.cat(
        [
            wide[:, :, 2:, middle, middle] - wide[:, :, :-2, middle, middle],
            wide[:, :, middle, 2:, middle] - wide[:, :, middle, :-2, middle],
            wide[:, :, middle, middle, 2:] - wide[:, :, middle, middle, :-2],
        ],
        1,
    )
    square = gradient.square().sum(1, keepdim=True)
    normal = gradient * (square + 0.5 * local_mean(square) + NOISE**2).rsqrt()
    z, y, x = normal.split(1, 1)
    return torch.cat([image, 0.5 * relative, z * z, y * y, x * x, z * y, z * x, y * x], 1)


def edge_pyramid(image: torch.Tensor, scales: int) -> list[torch.Tensor]:
    """Channels of images (B, 1, k, j, i) at ``s`` = 1, 2, 4 ... input voxels to a voxel: each (B, 8, k/s, j/s, i/s)."""
    return [edge_channels(F.avg_pool3d(image, 2**n) if n else image) for n in range(scales)]
