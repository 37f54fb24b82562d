"""What an acquisition does to an image: blur, thick slices, shading, lost signal, noise; and normalization."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .random_draw import Draw, per_image

LOW, HIGH = 0.02, 0.985
"""Quantiles of a crop that become 0 and 1."""


def _along(image: torch.Tensor, matrices: torch.Tensor, axis: int) -> torch.Tensor:
    """Images (B, 1, k, j, i) times matrices (B, n, n) along one of the axes 0, 1, 2."""
    moved = image[:, 0].movedim(1 + axis, -1)
    out = torch.bmm(moved.flatten(1, 2), matrices.transpose(1, 2)).view(moved.shape)
    return out.movedim(-1, 1 + axis)[:, None]


def blur_matrices(sigma: torch.Tensor, count: int) -> torch.Tensor:
    """(B, count, count): Gaussians of ``sigma`` (B,) voxels; rows sum to 1, so the ends are not darkened."""
    at = torch.arange(count, device=sigma.device, dtype=torch.float32)
    matrix = torch.exp(-0.5 * ((at[:, None] - at) / sigma.clamp(min=0.15).reshape(-1, 1, 1)) ** 2)
    return matrix / matrix.sum(-1, keepdim=True)


def slice_matrices(thickness: torch.Tensor, phase: torch.Tensor, count: int) -> torch.Tensor:
    """(B, count, count): means over slices ``thickness`` (B,) voxels wide, and linear interpolation between them."""
    at = torch.arange(count, device=thickness.device, dtype=torch.float32)
    thickness = thickness.clamp(min=1.0).reshape(-1, 1, 1)
    number = torch.arange(count + 2, device=thickness.device, dtype=torch.float32) - 1
    centers = (number[None] + phase[:, None]) * thickness[:, 0]  # (B, slices)
    away = (at[None, None] - centers[..., None]).abs()  # (B, slices, count)
    slab = (thickness / 2 + 0.5 - away).clamp(0, 1)
    shown = slab.sum(-1, keepdim=True)
    nearest = torch.softmax(-away, -1)  # for slices beyond the ends, however far
    slab = torch.where(shown > 1e-3, slab / shown.clamp(min=1e-3), nearest)
    between = (1 - (at[None, :, None] - centers[:, None]).abs() / thickness).clamp(min=0)
    between = between / between.sum(-1, keepdim=True).clamp(min=1e-6)
    return between @ slab


def resolved(image: torch.Tensor, draw: Draw, difficulty: float) -> torch.Tensor:
    """Images (B, 1, k, j, i) at random resolution: a slight blur everywhere, and half of them in thick slices."""
    thick_axis = draw.integers(3)
    # from fine to 9 mm at 3 mm a voxel
    thickness = 1 + 2.0 * draw.uniform(0, 1).square() * (0.3 + 0.7 * difficulty)
    thickness = torch.where(draw.chance(0.5), thickness, 1.0)
    phase = draw.uniform(0, 1)
    sigma = torch.where(draw.chance(0.25), draw.uniform(0.35, 1.1), draw.uniform(0.2, 0.5))
    for axis in range(3):
        count = image.shape[2 + axis]
        sliced = torch.where(thick_axis == axis, thickness, 1.0)
        matrices = blur_matrices(sigma, count)
        thin = (sliced <= 1.0)[:, None, None]
        thick = slice_matrices(sliced, phase, count)
        image = _along(image, torch.where(thin, matrices, thick @ matrices), axis)
    return image


def _distances(shape: torch.Size, center: torch.Tensor) -> torch.Tensor:
    """Distance (B, 1, k, j, i) in lattice lengths of 40 voxels from points (B, 3), z y x as a share of the sides."""
    square = torch.zeros((), device=center.device)
    for axis in range(3):
        at = torch.arange(shape[2 + axis], device=center.device, dtype=torch.float32)
        along = (at[None] - center[:, axis, None] * shape[2 + axis]) / 40
        view = [len(center), 1, 1, 1, 1]
        view[2 + axis] = -1
        square = square + along.square().view(view)
    return square.sqrt()


def shaded(image: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Images (B, 1, k, j, i) times a smooth random field, at times bright near a coil, at times dark around a point."""
    field = draw.normal(1, 4, 4, 4) * per_image(draw.uniform(0, 0.4) * draw.chance(0.6))
    image = image * F.interpolate(field, image.shape[2:], mode="trilinear", align_corners=True).exp()
    far = _distances(image.shape, draw.uniform(-0.3, 1.3, 3)) / per_image(draw.uniform(0.3, 1.0))
    image = torch.where(per_image(draw.chance(0.2)), image / (0.3 + far.square()), image)
    near = _distances(image.shape, draw.uniform(0, 1, 3)) / per_image(draw.uniform(0.08, 0.25))
    lost = 1 - per_image(draw.uniform(0.4, 1.0)) * torch.exp(-near.square())
    return torch.where(per_image(draw.chance(0.15)), image * lost, image)


def with_dark_slices(image: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Images (B, 1, k, j, i), one in twelve with a tenth of its slices along the first axis darkened."""
    kept = torch.where(draw.chance(0.1, image.shape[2]), draw.uniform(0, 0.6, image.shape[2]), 1.0)
    kept = torch.where(draw.chance(0.08, 1), kept, 1.0)
    return image * kept[:, None, :, None, None]


def noisy(image: torch.Tensor, draw: Draw, difficulty: float) -> torch.Tensor:
    """Images (B, 1, k, j, i) with additive noise, at times with that of magnitudes, or with speckle."""
    noise = draw.noise(*image.shape[1:])
    amount = per_image(draw.uniform(0, 1).square() * (0.02 + 0.05 * difficulty))
    added = image + noise * amount
    added = torch.where(per_image(draw.chance(0.3)), added.abs(), added)
    speckle = image * (1 + noise * per_image(draw.uniform(0.05, 0.3)))
    return torch.where(per_image(draw.chance(0.08)), speckle, added)


def stretched(image: torch.Tensor) -> torch.Tensor:
    """Images (B, 1, k, j, i) with 0 at their :data:`LOW` and 1 at their :data:`HIGH` quantile."""
    values = image.flatten(1)
    values = values[:, :: max(values.shape[1] // 4000, 1)]
    low, high = torch.quantile(values, torch.tensor([LOW, HIGH], device=image.device), dim=1)
    return (image - per_image(low)) / per_image((high - low).clamp(min=0.02))


def normalized(image: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Images (B, 1, k, j, i) as they are before registration, 0 dark and about 1 bright, with some variation."""
    image = stretched(image)
    gain = torch.exp(draw.uniform(-0.45, 0.25))
    return ((image * per_image(gain)) + per_image(draw.uniform(-0.02, 0.06))).clamp(0, 1.3)


def acquired(image: torch.Tensor, draw: Draw, difficulty: float) -> torch.Tensor:
    """Images (B, 1, k, j, i) after all of this module, in the order in which it happens; ``difficulty`` from 0 to 1."""
    image = stretched(resolved(shaded(image, draw), draw, difficulty))
    return normalized(noisy(with_dark_slices(image, draw), draw, difficulty), draw)
