"""Training pairs: two appearances of one scan, and the true transform between them.

A crop is a cube of ``size`` voxels of ``spacing`` mm about a random point of the head.  Its points are given in mm
from its middle, x, y, z order; ``transform`` maps a point of the fixed crop to where the same anatomy lies in the
moving crop, so the label at a point ``p`` is ``|transform(p) - p|`` in mm.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from ..image.points import lattice_points
from ..image.sampling import sample_array
from .appearance import random_appearance
from .pair_settings import PairSettings
from .random_transforms import random_rotation, random_stretch, random_transform
from .scans import Scan


def crop_points(size: int, spacing: float) -> torch.Tensor:
    """Positions (k, j, i, 3) in mm of a crop's voxels from its middle, x y z order."""
    at = (torch.arange(size, dtype=torch.float32) - size // 2) * spacing
    return lattice_points(at, at, at)


def _cut(points: torch.Tensor, settings: PairSettings, rng: np.random.Generator) -> torch.Tensor:
    """Field of view (k, j, i): 1 inside, 0 beyond up to two planes that lie near the crop's axes."""
    keep = torch.ones(points.shape[:3])
    for _ in range(int(rng.integers(1, 3))):
        normal = np.zeros(3)
        normal[rng.integers(3)] = rng.choice([-1.0, 1.0])
        normal = random_rotation(rng, 20.0) @ normal
        reach = float(rng.uniform(0, settings.size * settings.spacing / 2))
        keep *= (points @ torch.as_tensor(normal, dtype=torch.float32)) < reach
    return keep


class PairSampler:
    """Draws training pairs from scans; pair ``index`` of a seed is always the same pair.

    Args:
        scans: groups of scans, each group drawn equally often.
        settings: what the pairs look like.
        seed: of everything random.
    """

    def __init__(self, scans: Sequence[Sequence[Scan]], settings: PairSettings, seed: int = 0) -> None:
        self.groups = [group for group in scans if group]
        self.settings = settings
        self.seed = seed
        self.points = crop_points(settings.size, settings.spacing)

    def image(self, scan: Scan, to_scan: np.ndarray, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """A crop in a random appearance and its head, both (k, j, i); ``to_scan`` maps crop mm to scan LPS mm."""
        image, head = self._crop(scan, to_scan)
        if rng.random() < self.settings.crop:
            keep = _cut(self.points, self.settings, rng)
            image, head = image * keep, head * keep
        return random_appearance(image, head, rng, self.settings.appearance), head

    def pair(self, index: int, growth: float = 1.0) -> dict[str, torch.Tensor]:
        """One pair.

        Returns:
            ``fixed``, ``moving``: (1, k, j, i); ``transform``: (4, 4) float32 fixed to moving in mm;
            ``weight``: (k', j', i') 1 where a label counts (fixed anatomy within about 3 cm);
            ``visible``: (1, k, j, i) head in the moving crop.
        """
        settings = self.settings
        rng = np.random.default_rng([self.seed, index])
        group = self.groups[int(rng.integers(len(self.groups)))]
        scan = group[int(rng.integers(len(group)))]
        pose = random_rotation(rng, 30.0 if rng.random() < settings.upright else 180.0)
        to_scan = np.eye(4)
        shape = np.exp(rng.uniform(-0.2, 0.2)) * random_stretch(rng, 0.06, 0.04)
        if rng.random() < 0.5:
            shape = np.diag([-1.0, 1.0, 1.0]) @ shape  # a mirrored head is another head that lies the same way
        to_scan[:3, :3] = shape @ pose
        to_scan[:3, 3] = scan.center + rng.normal(0, 20.0, 3)
        transform = random_transform(rng, settings, growth)
        fixed, head = self.image(scan, to_scan, rng)
        moving, visible = self.image(scan, to_scan @ np.linalg.inv(transform), rng)
        return self._packed(fixed, head, moving, visible, transform)

    def cross_pair(
        self, index: int, fixed_scan: Scan, moving_scan: Scan, matrix: np.ndarray
    ) -> dict[str, torch.Tensor]:
        """A pair of two real scans as they are, for validation; ``matrix`` (4, 4) maps fixed to moving LPS mm."""
        rng = np.random.default_rng([self.seed, index])
        to_scan = np.eye(4)
        to_scan[:3, :3] = random_rotation(rng, 30.0)
        to_scan[:3, 3] = fixed_scan.center + rng.normal(0, 15.0, 3)
        transform = random_transform(rng, self.settings)
        fixed, head = self._crop(fixed_scan, to_scan)
        moving, visible = self._crop(moving_scan, matrix @ to_scan @ np.linalg.inv(transform))
        return self._packed(fixed, head, moving, visible, transform)

    def _crop(self, scan: Scan, to_scan: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """A crop of a scan and its head, both (k, j, i); ``to_scan`` maps crop mm to scan LPS mm."""
        image, head = sample_array(scan.channels, scan.grid.inverse @ to_scan, self.points, "zeros")
        return image, head

    def _packed(
        self,
        fixed: torch.Tensor,
        head: torch.Tensor,
        moving: torch.Tensor,
        visible: torch.Tensor,
        transform: np.ndarray,
    ) -> dict[str, torch.Tensor]:
        s = self.settings.stride
        near = F.avg_pool3d(F.pad(head[None, None], [2, 2] * 3), 5, s)[0, 0]
        return {
            "fixed": fixed[None],
            "moving": moving[None],
            "transform": torch.as_tensor(transform, dtype=torch.float32),
            "weight": (near > 0.15).float(),
            "visible": visible[None],
        }


def displacements(transform: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Vectors ``transform(p) - p`` in mm: (B, 4, 4) and (..., 3) give (B, ..., 3)."""
    linear = transform[:, :3, :3] - torch.eye(3, device=transform.device)
    shape = (len(transform), *[1] * (points.dim() - 1), 3)
    return torch.einsum("bxy,...y->b...x", linear, points) + transform[:, :3, 3].reshape(shape)
