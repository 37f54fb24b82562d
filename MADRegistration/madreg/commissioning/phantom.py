"""A digital phantom: what a second scan of the same patient could look like, whose true transform is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..image.fitting import fit
from ..image.geometry import Grid, about, apply, rotation
from ..image.volume import Volume
from ..learn.appearance import Appearance, acquired, random_appearance
from ..learn.scans import head_mask
from .smooth_displacement import SmoothDisplacement

CHANGES = ("rigid", "affine", "deformed")
CONTRASTS = ("same", "other")
VOXELS = 6e6  # of a phantom, at most
TILT = 10.0  # degrees between the lattices, at most: no voxel of one is one of the other
DEGREES, SHIFT_MM = 30.0, 30.0  # of the displacement, at most; a third of it at least
SCALE, SHEAR = 0.1, 0.05
WARP_MM = 2.0, 6.0  # root mean square of a smooth displacement
LARGEST_TISSUE, LEVELS = 0.5, 20  # share of the body within one of so many levels of intensity, at most
DRAWS = 20  # of a contrast, at most


@dataclass(frozen=True)
class Phantom:
    """A phantom of a scan.

    Attributes:
        volume: to be registered to the scan as the moving one.
        change: one of :data:`CHANGES`.
        contrast: one of :data:`CONTRASTS`.
        targets: (n, 3) LPS mm in it: where points of the scan lie.
        truth: (4, 4), scan LPS to phantom LPS: the transform, or the rigid one that is nearest to a deformation.
    """

    volume: Volume
    change: str
    contrast: str
    targets: np.ndarray
    truth: np.ndarray

    @property
    def type(self) -> str:
        """Of the transform to look for."""
        return "affine" if self.change == "affine" else "rigid"


def make_phantom(scan: Volume, points: np.ndarray, change: str, contrast: str, rng: np.random.Generator) -> Phantom:
    """A phantom of a scan.

    Args:
        points: (n, 3) LPS mm of the scan's foreground, over which errors are averaged.
        change: how it lies: displaced rigidly, stretched and sheared as well, or deformed as well.
        contrast: that of the scan with the faults of another acquisition, or a random one.
    """
    center = points.mean(0)
    displacement = _displacement(center, rng)
    shape = _shape(center, rng) if change == "affine" else np.eye(4)
    warp = SmoothDisplacement(rng, rng.uniform(*WARP_MM)) if change == "deformed" else None
    inverse = np.linalg.inv(shape)

    def to_scan(body: np.ndarray) -> np.ndarray:
        return apply(inverse, body) if warp is None else warp.apply(body)

    body = apply(shape, points) if warp is None else warp.inverse(points)
    grid = _lattice(scan.grid, rng)
    volume = _imaged(scan, grid, to_scan(grid.points().double().numpy()), contrast, rng)
    moved = Volume(volume.name, volume.data, Grid(grid.size, displacement @ grid.matrix), volume.mask)
    targets = apply(displacement, body)
    truth = fit(points, targets, np.ones(len(points)), "affine" if change == "affine" else "rigid")
    return Phantom(moved, change, contrast, targets, truth)


def _displacement(center: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A rotation and a translation (4, 4)."""
    degrees, length = rng.uniform(1 / 3, 1, 2) * (DEGREES, SHIFT_MM)
    direction = rng.normal(size=3)
    return about(center, rotation(rng.normal(size=3), degrees), length * direction / np.linalg.norm(direction))


def _shape(center: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A stretch along each axis and a shear (4, 4)."""
    linear = np.diag(np.exp(rng.uniform(-SCALE, SCALE, 3)))
    linear[np.triu_indices(3, 1)] = rng.uniform(-SHEAR, SHEAR, 3)
    return about(center, linear)


def _lattice(grid: Grid, rng: np.random.Generator) -> Grid:
    """An isotropic lattice over the field of view of another one, tilted."""
    extent = grid.spacing * grid.size
    spacing = max(float(np.prod(grid.spacing)) ** (1 / 3), float(np.prod(extent) / VOXELS) ** (1 / 3))
    plain = grid.isotropic(spacing)
    tilt = about(grid.center, rotation(rng.normal(size=3), rng.uniform(0, TILT)), rng.uniform(-0.5, 0.5, 3) * spacing)
    return Grid(plain.size, tilt @ plain.matrix)


def _imaged(scan: Volume, grid: Grid, there: np.ndarray, contrast: str, rng: np.random.Generator) -> Volume:
    """What a scanner would show on a lattice.

    Args:
        there: (k, j, i, 3) LPS mm in the scan, of the lattice's samples.
    """
    data, mask = scan.resampled(float(grid.spacing[0])).sample(torch.as_tensor(there, dtype=torch.float32))
    if contrast == "other":
        data = in_other_contrast(data, rng)
    return Volume(f"phantom of {scan.name}", acquired(data, rng).clamp(min=0), grid, mask > 0.5)


def in_other_contrast(data: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Intensities (k, j, i) in a random contrast that shows more than one tissue, as that of any scanner does.

    Args:
        data: (k, j, i), 0 the background and about 1 the brightest tissue.
    """
    inside = torch.as_tensor(head_mask(data.numpy()))
    for _ in range(DRAWS):
        drawn = random_appearance(data, inside.float(), rng, Appearance(acquisition=False))
        if torch.histc(drawn[inside], LEVELS, 0, 1).max() < LARGEST_TISSUE * inside.sum():
            break
    return drawn
