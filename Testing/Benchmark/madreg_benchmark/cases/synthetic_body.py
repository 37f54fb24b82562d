"""Synthetic bodies of blobs and tubes, in two unrelated contrasts: anatomy that is no head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage
from scipy.spatial.transform import Rotation

from madreg.image.geometry import Grid, apply
from madreg.image.volume import Volume
from madreg.learn.synthetic_bodies import indices_near
from madreg_benchmark.cases.levels import LEVELS, random_motion

PARTS = 24  # within the outline
BEND = 8.0  # mm, of the tubes


class Body:
    """An ellipsoid filled with blobs and bent tubes; :meth:`labels` numbers them from 1, and 0 is the air."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.outline = np.array([95.0, 70.0, 80.0]) * rng.uniform(0.85, 1.1, 3)  # mm, half axes
        self.rotations = Rotation.random(PARTS, random_state=int(rng.integers(2**31))).as_matrix()
        self.centers = rng.uniform(-1, 1, (PARTS, 3)) * [60, 42, 50]
        self.blob = rng.random(PARTS) < 0.6
        self.radii = np.where(
            self.blob[:, None],
            rng.uniform(6, 26, (PARTS, 3)),
            np.column_stack([rng.uniform(20, 60, PARTS), rng.uniform(3, 8, (PARTS, 2))]),
        )
        self.phases = rng.uniform(0, 6, PARTS)

    def labels(self, points: np.ndarray) -> np.ndarray:
        """Number of the part at each point (..., 3), mm from the middle."""
        every = points.reshape(-1, 3)
        found = (((every / self.outline) ** 2).sum(-1) < 1).astype(int)
        squares = (every**2).sum(-1)
        for n, center in enumerate(self.centers):
            near = indices_near(every, squares, center, self._reach(n))
            local = (every[near] - center) @ self.rotations[n].T
            if self.blob[n]:
                inside = ((local / self.radii[n]) ** 2).sum(-1) < 1
            else:
                local[..., 1] -= BEND * np.sin(local[..., 0] / 25 + self.phases[n])
                across = (local[..., 1:] ** 2).sum(-1) < self.radii[n, 1] ** 2
                inside = across & (np.abs(local[..., 0]) < self.radii[n, 0])
            found[near[inside]] = n + 2
        return found.reshape(points.shape[:-1])

    def _reach(self, n: int) -> float:
        """How far a part reaches from its center, in mm."""
        radii = self.radii[n]
        return float(radii.max() if self.blob[n] else np.hypot(radii[0], radii[1] + BEND))

    def scan(self, name: str, grid: Grid, pose: np.ndarray, rng: np.random.Generator) -> Volume:
        """A noisy image at a 4x4 ``pose``, body to LPS; how bright each part is, is drawn anew."""
        labels = self.labels(apply(np.linalg.inv(pose), grid.points().double().numpy()))
        brightness = np.concatenate([[0.0], rng.uniform(0.15, 1.0, PARTS + 1)])
        array = ndimage.gaussian_filter(brightness[labels], 0.8) + rng.normal(0, 0.02, labels.shape)
        return Volume(name, torch.as_tensor(array, dtype=torch.float32), grid, torch.ones(grid.shape, dtype=torch.bool))


def upright_scan(seed: int | Sequence[int]) -> Volume:
    """One scan of one body along the axes, of 2 mm voxels, in a contrast of its own."""
    rng = np.random.default_rng(seed)
    half = np.array([116.0, 88.0, 98.0])  # mm, a margin of a centimetre around the largest outline
    return Body(rng).scan("synthetic body", Grid.covering(-half, half, 2.0), np.eye(4), rng)


def pair(seed: int | Sequence[int]) -> tuple[Volume, Volume, np.ndarray]:
    """Two scans of one body, the second with 4 mm slices in any orientation, and the true 4x4, fixed to moving LPS."""
    rng = np.random.default_rng(seed)
    body = Body(rng)
    fixed_grid = Grid((110, 100, 90), np.diag([2.2, 2.2, 2.2, 1.0]))
    moving_grid = Grid((128, 128, 60), np.diag([2.0, 2.0, 4.0, 1.0]))
    fixed_pose, moving_pose = np.eye(4), np.eye(4)
    fixed_pose[:3, 3] = fixed_grid.center
    moving_pose[:3, :3] = Rotation.random(random_state=int(rng.integers(2**31))).as_matrix()
    moving_pose[:3, 3] = moving_grid.center + rng.uniform(-15, 15, 3)
    return (
        body.scan("one contrast", fixed_grid, fixed_pose, rng),
        body.scan("another", moving_grid, moving_pose, rng),
        moving_pose @ np.linalg.inv(fixed_pose),
    )


def displaced_pair(seed: int | Sequence[int], level: str) -> tuple[Volume, Volume, np.ndarray]:
    """The same two scans, but displaced by a motion of a level about the middle of the fixed one, as cases are."""
    fixed, moving, truth = pair(seed)
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    motion = random_motion(LEVELS[level], rng, fixed.grid.center)
    grid = Grid(moving.grid.size, motion @ np.linalg.inv(truth) @ moving.grid.matrix)
    return fixed, replace(moving, grid=grid), motion
