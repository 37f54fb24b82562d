"""Random appearances: the same anatomy in random contrasts, without displacement.

Random convolutions after MAD (arXiv 2309.02875): random linear filters of random size on the intensities, clamping
and leaky ReLU, stacked, drawn anew for each patch.  Every kernel equals its own point reflection, so its phase is
zero and an edge stays where it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Appearance:
    """How varied the random appearances are; the defaults are what the shipped network was trained with.

    Attributes:
        layers: largest number of stacked random convolutions (at least one is drawn; 0 switches them off).
        channels: largest number of channels between two of them.
        sizes: kernel sizes in voxels, and
        size_odds: how often each is drawn.
        dark_background: share of patches whose air is dark again afterwards, as in every real modality.
        acquisition: add noise, a bias field, lost signal, thick slices and blur.
        different: how many different appearances there are, which all patches share; 0: each patch has its own.
    """

    layers: int = 3
    channels: int = 4
    sizes: tuple[int, ...] = (1, 3, 5)
    size_odds: tuple[float, ...] = (0.84, 0.14, 0.02)
    dark_background: float = 0.85
    acquisition: bool = True
    different: int = 0


def random_kernel(size: int, outputs: int, inputs: int, rng: np.random.Generator) -> torch.Tensor:
    """Random weights (outputs, inputs, size, size, size) that are symmetric about their centre."""
    weight = torch.from_numpy(rng.standard_normal((outputs, inputs, size, size, size), dtype=np.float32))
    weight = (weight + weight.flip(2, 3, 4)) / 2
    if size > 1:
        # a random filter of this size on average cancels itself out; its centre keeps the anatomy in view
        weight = weight / size**1.5 * 0.7
        middle = size // 2
        weight[:, :, middle, middle, middle] += torch.from_numpy(
            rng.standard_normal((outputs, inputs), dtype=np.float32) * rng.choice([0.0, 1.0], p=[0.15, 0.85])
        )
    return weight


def _standardised(x: torch.Tensor, head: torch.Tensor | None) -> torch.Tensor:
    """Each channel of (1, C, k, j, i) with mean 0 and deviation 1 over the head."""
    values = x[0].flatten(1)
    if head is not None and int(head.sum()) > 100:
        values = values[:, head.flatten()]
    mean = values.mean(1)
    deviation = values.std(1).clamp(min=1e-4)
    return (x - mean[:, None, None, None]) / deviation[:, None, None, None]


def _shows_something(x: torch.Tensor, head: torch.Tensor | None) -> bool:
    """Whether every channel of (1, C, k, j, i) varies over the head: more than one voxel in fifty stands out."""
    values = x[0].flatten(1)
    if head is not None and int(head.sum()) > 100:
        values = values[:, head.flatten()]
    return bool(((values - values.median(1, keepdim=True).values).abs() > 0.05).float().mean(1).min() > 0.02)


def random_convolutions(
    image: torch.Tensor, rng: np.random.Generator, settings: Appearance = Appearance(), head: torch.Tensor | None = None
) -> torch.Tensor:
    """The image seen through a random stack of convolutions.

    Args:
        image: (k, j, i), any intensities.
        rng: source of every choice.
        settings: how varied.
        head: bool (k, j, i), voxels whose statistics count (all, if None).

    Returns:
        (k, j, i) with about zero mean and unit deviation over the head.
    """
    x = _standardised(image[None, None], head)
    first = x
    layers = int(rng.integers(1, settings.layers + 1)) if settings.layers > 0 else 0
    for layer in range(layers):
        outputs = 1 if layer == layers - 1 else int(rng.integers(1, settings.channels + 1))
        size = int(rng.choice(settings.sizes, p=settings.size_odds))
        kernel = random_kernel(size, outputs, x.shape[1], rng)
        reach = size // 2
        padded = F.pad(x, [reach] * 6, mode="replicate") if reach else x
        x = _standardised(F.conv3d(padded, kernel), head)
        x = x + torch.from_numpy(rng.uniform(-1.5, 1.5, (1, outputs, 1, 1, 1)).astype(np.float32))
        x = F.leaky_relu(x, float(rng.uniform(-1.0, 0.8)))
        if rng.random() < 0.5:
            low, high = np.sort(rng.uniform(-2.0, 2.5, 2))
            clamped = x.clamp(float(low), float(max(high, low + 0.3)))
            x = clamped if _shows_something(clamped, head) else x
    x = _standardised(x, head) if _shows_something(x, head) else first
    if layers and rng.random() < 0.5:
        share = float(rng.uniform(-0.8, 0.8))
        x = _standardised((1 - abs(share)) * x + share * first, head)
    return x[0, 0]


def _normalised(x: torch.Tensor, head: torch.Tensor | None) -> torch.Tensor:
    """0 at the first percentile, 1 at the 99th of the head, clamped."""
    values = x.flatten() if head is None or int(head.sum()) < 100 else x[head]
    if len(values) > 8000:
        values = values[:: len(values) // 8000 + 1]
    low, high = np.quantile(values.numpy(), [0.01, 0.99])
    return ((x - float(low)) / max(float(high - low), 1e-3)).clamp(0, 1)


def _smooth_along(x: torch.Tensor, axis: int, sigma: float) -> torch.Tensor:
    reach = int(np.ceil(2.5 * sigma))
    at = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    shape, pad = [1, 1, 1, 1, 1], [0] * 6
    shape[2 + axis] = -1
    pad[2 * (2 - axis)] = pad[2 * (2 - axis) + 1] = reach
    return F.conv3d(F.pad(x[None, None], pad, mode="replicate"), (kernel / kernel.sum()).reshape(shape))[0, 0]


def _signal_lost(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Darkened around one random point, as an echo-planar image is near air cavities and any image near metal."""
    axes = [torch.arange(n, dtype=torch.float32) - float(rng.uniform(0, n)) for n in x.shape]
    square = axes[0][:, None, None] ** 2 + axes[1][None, :, None] ** 2 + axes[2][None, None, :] ** 2
    return x * (1 - float(rng.uniform(0.5, 1.0)) * torch.exp(-square / (2 * float(rng.uniform(2.0, 5.0)) ** 2)))


def acquired(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Intensities (k, j, i) with what a scanner adds: a smooth bias field, lost signal, thick slices or blur, noise."""
    if rng.random() < 0.5:
        field = torch.from_numpy(rng.standard_normal((1, 1, 3, 3, 3), dtype=np.float32)) * float(rng.uniform(0, 0.35))
        x = x * F.interpolate(field, x.shape, mode="trilinear", align_corners=True)[0, 0].exp()
    if rng.random() < 0.15:
        x = _signal_lost(x, rng)
    blur = rng.random()
    if blur < 0.4:
        x = _smooth_along(x, int(rng.integers(3)), float(rng.uniform(0.3, 2.0)))
    elif blur < 0.55:
        sigma = float(rng.uniform(0.4, 1.5))
        for axis in range(3):
            x = _smooth_along(x, axis, sigma)
    if rng.random() < 0.7:
        noise = torch.from_numpy(rng.standard_normal(x.shape, dtype=np.float32))
        x = x + noise * float(rng.uniform(0, 0.05))
    return x


def random_appearance(
    image: torch.Tensor, head: torch.Tensor, rng: np.random.Generator, settings: Appearance = Appearance()
) -> torch.Tensor:
    """One scan's patch as another modality might show it, normalised as a scan is before registration.

    Args:
        image: float (k, j, i), 0 the background and 1 about the brightest tissue.
        head: float (k, j, i), 1 inside the head (bone and air cavities included), 0 outside.
        rng: source of every choice.
        settings: how varied.

    Returns:
        float (k, j, i), 0 the background and 1 the brightest.
    """
    inside = head > 0.5
    look = np.random.default_rng(rng.integers(settings.different)) if settings.different else rng
    if settings.layers == 0 or look.random() < 0.15:
        x = image
    else:
        x = _normalised(random_convolutions(image, look, settings, inside), inside)
        if look.random() < 0.4:
            x = x ** float(np.exp(look.uniform(-0.7, 0.7)))
        if look.random() < settings.dark_background:
            # bone, which is as dark as air in T1w, may now be bright: the head keeps it, the air around it does not
            floor = float(look.choice([0.0, look.uniform(0.0, 0.5)]))
            x = (floor + (1 - floor) * x) * head
    if settings.acquisition:
        x = acquired(x, rng)
    return x.clamp(0, 1.2)
