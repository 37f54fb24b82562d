"""Training pairs: two appearances of one scan, and the true transform between them.

A crop is a cube of ``size`` voxels of ``spacing`` mm about a random point of the head.  Its points are given in mm
from its middle, x, y, z order; ``transform`` maps a point of the fixed crop to where the same anatomy lies in the
moving crop, so the label at a point ``p`` is ``|transform(p) - p|`` in mm.

The distribution of distances: 30 % of the pairs lie near alignment (shifted 0 to 8 mm, rotated 0
to 10 degrees), 67 % are spread evenly to 50 mm and 40 degrees, 3 % have any orientation.  Away from the middle of the
rotation that makes distances of up to 60 mm and more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from ..errors import InputError
from ..image.geometry import Grid, apply
from ..image.points import lattice_points
from ..image.sampling import sample_array
from ..image.smoothing import COARSENING, smooth
from ..image.volume import Volume
from ..io.reading import read_volume
from .appearance import Appearance, random_appearance

BRIGHT = 0.12  # normalized intensity of what may be the body
SCAN_SPACING = 2.0


@dataclass(frozen=True)
class Scan:
    """A mono-modal scan kept in memory for sampling.

    Attributes:
        name: file name.
        channels: float32 (2, k, j, i): intensities (0 background, 1 bright) and the head (0 or 1, softened).
        grid: lattice of the voxels, LPS mm.
        center: (3,) middle of the head, LPS mm.
    """

    name: str
    channels: torch.Tensor
    grid: Grid
    center: np.ndarray


def head_mask(data: np.ndarray) -> np.ndarray:
    """Bool mask of the largest bright thing of a normalised array, with its bone and cavities filled in."""
    bright = ndimage.gaussian_filter(data, 1.0) > BRIGHT
    labels, count = ndimage.label(bright)
    if count == 0:
        return bright
    bright = labels == 1 + np.argmax(ndimage.sum_labels(bright, labels, np.arange(1, count + 1)))
    padded = np.pad(bright, 6)
    distance = ndimage.distance_transform_edt(~padded)
    closed = ndimage.distance_transform_edt(distance <= 5) > 5
    filled = ndimage.binary_fill_holes(closed | padded)
    for axis in range(3):
        filled = np.stack([ndimage.binary_fill_holes(s) for s in np.moveaxis(filled, axis, 0)], axis)
    return filled[6:-6, 6:-6, 6:-6]


def load_scan(path: Path) -> Scan:
    """Read a scan for training: see :func:`scan_of`.

    Raises:
        InputError: if the file cannot be read or shows nothing.
    """
    return scan_of(read_volume(path)[0])


def scan_of(volume: Volume) -> Scan:
    """A volume at 2 mm, smoothed as registration smooths for 4 mm, its head found.

    Raises:
        InputError: if it shows nothing.
    """
    array, grid = volume.data, volume.grid
    sigma = COARSENING * np.sqrt(np.maximum(4.0**2 - grid.spacing**2, 0)) / grid.spacing
    out = grid.isotropic(SCAN_SPACING)
    sharp = sample_array(smooth(array, 0.8 / grid.spacing)[None], grid.inverse, out.points())[0]
    soft = sample_array(smooth(array, sigma)[None], grid.inverse, out.points())[0]
    head = torch.from_numpy(head_mask(sharp.numpy()).astype(np.float32))
    if head.sum() < 1000:
        raise InputError(f"{volume.name} shows no head or other object; leave it out of the training folder.")
    index = torch.nonzero(head > 0.5).float().mean(0).flip(0).numpy()
    head = smooth(head, np.full(3, 0.8))
    return Scan(volume.name, torch.stack([soft, head]).contiguous(), out, apply(out.matrix, index))


@dataclass(frozen=True)
class PairSettings:
    """What the pairs look like; lengths in mm, angles in degrees.

    Attributes:
        size: voxels along each edge of a crop.
        spacing: mm between them.
        stride: voxels between two labels.
        distance: largest translation between the crops.
        rotation: largest rotation between them.
        near: share of pairs near alignment; any_pose: share of pairs with any orientation.
        upright: share of fixed crops within 30 degrees of the scanner's axes; the others lie anyhow.
        crop: share of images of which a part lies outside the field of view.
        appearance: the random convolutions.
    """

    size: int = 36
    spacing: float = 4.0
    stride: int = 4
    distance: float = 50.0
    rotation: float = 40.0
    near: float = 0.3
    any_pose: float = 0.03
    upright: float = 0.95
    crop: float = 0.2
    appearance: Appearance = Appearance()


def random_rotation(rng: np.random.Generator, largest: float = 180.0) -> np.ndarray:
    """3x3 rotation about a random axis by up to ``largest`` degrees (180: uniform over all orientations)."""
    if largest >= 180.0:
        q = rng.standard_normal(4)
        w, x, y, z = q / np.linalg.norm(q)
    else:
        axis = rng.standard_normal(3)
        angle = np.radians(rng.uniform(0, largest)) / 2
        w, (x, y, z) = np.cos(angle), np.sin(angle) * axis / np.linalg.norm(axis)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _stretch(rng: np.random.Generator, scale: float, shear: float) -> np.ndarray:
    matrix = np.diag(np.exp(rng.normal(0, scale, 3)))
    matrix += np.triu(rng.normal(0, shear, (3, 3)), 1)
    return matrix


def random_transform(rng: np.random.Generator, settings: PairSettings, growth: float = 1.0) -> np.ndarray:
    """4x4 fixed crop to moving crop, mm.  ``growth`` from 0 to 1 is the curriculum: how far the range has grown."""
    kind = rng.random()
    distance = 25.0 + (settings.distance - 25.0) * growth
    rotation = 15.0 + (settings.rotation - 15.0) * growth
    if kind < settings.near:
        linear, shift = random_rotation(rng, min(10.0, rotation)), rng.uniform(0, 8.0)
    elif kind < settings.near + settings.any_pose * growth:
        linear, shift = random_rotation(rng), rng.uniform(0, 0.6 * distance)
    else:
        linear, shift = random_rotation(rng, rotation), rng.uniform(0, distance)
    if kind < settings.near:
        linear = linear @ _stretch(rng, 0.02, 0.01)
    else:
        wide = rng.random() < 0.4  # as two people's heads differ; the rest differ as one person's scans do
        linear = linear @ (_stretch(rng, 0.09, 0.045) if wide else _stretch(rng, 0.03, 0.015))
    direction = rng.standard_normal(3)
    pivot = rng.uniform(-30, 30, 3)
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = pivot - linear @ pivot + shift * direction / np.linalg.norm(direction)
    return matrix


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

    def __init__(self, scans: Sequence[Sequence[Scan]], settings: PairSettings = PairSettings(), seed: int = 0) -> None:
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
        shape = np.exp(rng.uniform(-0.2, 0.2)) * _stretch(rng, 0.06, 0.04)
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
