"""Random appearances: what a body might look like in one contrast or another, without moving any of it.

Two steps.  A random table gives every code of a body (see :mod:`madreg.learn.bodies`) an intensity.  Then random
combinations of a few filters that equal their own point reflection (so that edges stay where they are), thresholds and
leaky ReLUs, after the random convolutions of MAD (arXiv 2309.02875).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..network.edges import padded
from .bodies import INSIDE, LEVELS
from .random_draw import Draw, per_image

CODES = 256
KNOTS = 7


def _curves(draw: Draw, knots: int) -> torch.Tensor:
    """Random functions (B, 128) of the brightness from 0 to 1, straight between ``knots`` random heights."""
    heights = draw.uniform(0, 1, 1, knots)
    smooth = F.interpolate(heights, LEVELS + 1, mode="linear", align_corners=True)[:, 0]
    steps = F.interpolate(heights, LEVELS + 1, mode="nearest")[:, 0]
    return torch.where(draw.chance(0.2, 1), steps, smooth)


def _scan_tables(draw: Draw) -> torch.Tensor:
    """Tables (B, 256) for bodies of kind ``scan``: curves within the body, mostly something dark around it."""
    grey = torch.linspace(0, 1, LEVELS + 1, device=draw.device).expand(draw.count, -1)
    curve = torch.where(draw.chance(0.5, 1), _curves(draw, KNOTS), _curves(draw, 4))
    inside = torch.where(draw.chance(0.2, 1), grey, curve)
    inside = torch.where(draw.chance(0.1, 1), 1 - inside, inside)
    outside = torch.where(draw.chance(0.1, 1), inside, 0.15 * grey)
    return torch.cat([outside, inside], 1)


def _label_tables(draw: Draw) -> torch.Tensor:
    """Tables (B, 256) for bodies of kind ``labels``: a random intensity a tissue, in places the same for several."""
    values = draw.uniform(0, 1, CODES)
    levels = draw.integers(5, 1) + 2
    few = (values * levels).round() / levels
    values = torch.where(draw.chance(0.3, 1), few + 0.06 * draw.normal(CODES), values)
    narrow = values * draw.uniform(0.15, 0.5, 1) + draw.uniform(0.2, 0.5, 1)
    stands_out = draw.chance(0.12, CODES)
    values = torch.where(draw.chance(0.3, 1) & ~stands_out, narrow, values)
    air = torch.where(draw.chance(0.88), 0.0, draw.uniform(0, 1))
    return torch.cat([air[:, None], values[:, 1:]], 1).clamp(0, 1)


def tables(draw: Draw, scans: torch.Tensor) -> torch.Tensor:
    """Tables (B, 256); ``scans`` (B,) bool, which of the bodies are scans."""
    return torch.where(scans[:, None], _scan_tables(draw), _label_tables(draw))


def less_different(table: torch.Tensor, other: torch.Tensor, draw: Draw, difficulty: float) -> torch.Tensor:
    """``other`` (B, 256), but at a low difficulty, from 0 to 1, often nearly ``table`` (B, 256) or its inversion."""
    alike = table * draw.uniform(0.6, 1.2, 1)
    alike = torch.where(draw.chance(0.3, 1), 1 - alike, alike)
    share = draw.uniform(0, 1, 1) * (0.25 + 0.75 * difficulty)
    easy = draw.chance(0.9 * (1 - difficulty) + 0.05, 1)
    return torch.where(easy, torch.lerp(alike, other, share), other)


def intensities(codes: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Intensities (B, k, j, i) of codes uint8 (B, k, j, i)."""
    flat = codes.flatten(1).int()
    return torch.stack([torch.index_select(one, 0, index) for one, index in zip(table, flat, strict=True)]).view(
        codes.shape
    )


def _second_differences(x: torch.Tensor) -> list[torch.Tensor]:
    wide, middle = padded(x), slice(1, -1)
    ends = [
        [wide[:, :, side, middle, middle], wide[:, :, middle, side, middle], wide[:, :, middle, middle, side]]
        for side in (slice(None, -2), slice(2, None))
    ]
    return [low + high - 2 * x for low, high in zip(*ends, strict=True)]


def random_filters(image: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Images (B, 1, k, j, i) through a random symmetric filter and a leaky ReLU; two in three stay as they are."""
    bank = torch.cat([image, *_second_differences(image)], 1)
    weights = draw.normal(4) * torch.tensor([0.3, 0.35, 0.35, 0.35], device=image.device)
    weights[:, 0] = torch.where(draw.chance(0.85), weights[:, 0] + 1, weights[:, 0])
    weights[:, 1:] = torch.where(draw.chance(0.5, 1), weights[:, 1:2], weights[:, 1:])
    mixed = torch.einsum("bckji,bc->bkji", bank, weights)[:, None]
    folded = F.relu(mixed - per_image(draw.uniform(0.1, 0.9))) * per_image(draw.uniform(-2.0, 0.5))
    mixed = mixed + torch.where(per_image(draw.chance(0.5)), folded, 0)
    return torch.where(per_image(draw.chance(0.35)), mixed, image)


def windowed(image: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Images (B, 1, k, j, i), in one of four cases clamped to a part of their range."""
    low = draw.uniform(0, 0.4)
    high = low + draw.uniform(0.3, 0.8)
    window = torch.minimum(torch.maximum(image, per_image(low)), per_image(high))
    return torch.where(per_image(draw.chance(0.25)), window, image)


def inside(codes: torch.Tensor, scans: torch.Tensor) -> torch.Tensor:
    """float (B, k, j, i): 1 within the body, for codes uint8 (B, k, j, i) of bodies of either kind (B,)."""
    least = torch.where(scans, INSIDE, 1).to(torch.uint8)
    return (codes >= least.reshape(-1, 1, 1, 1)).float()
