"""Two unlike scans of one body on unlike lattices, and points that correspond, drawn on any device.

The lattices are crops with ends of their own, and each scan's field of view is cut on its own as well, so what lies at
the end of one lattice lies anywhere in the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .acquisition import acquired
from .bodies import INSIDE, SPACING, Body
from .body_appearance import inside, intensities, less_different, random_filters, tables, windowed
from .poses import Pose, Warp, random_poses
from .random_draw import Draw

STARTS = 256
"""Points of each body about which crops may lie."""


@dataclass(frozen=True)
class ViewSettings:
    """What batches look like.

    Attributes:
        shapes: voxels (k, j, i) of a lattice, multiples of 16, of which one is drawn for each scan of a batch.
        spacings: mm between them, of which one is drawn for each batch.
        points: corresponding points between the two scans of a body.
        warped: share of scans with a smooth deformation of up to ``warp`` mm.
        difficulty: from 0 to 1: how unlike the contrasts, how large the rotations, how bad the images.
        rotation: the largest rotation between both scans in degrees, 180 for any; None: it goes by the difficulty.
    """

    shapes: tuple[tuple[int, int, int], ...] = ((48, 48, 48), (32, 48, 48), (48, 32, 48), (48, 48, 32), (48, 64, 32))
    spacings: tuple[float, ...] = (2.0, 2.5, 3.0)
    points: int = 400
    warped: float = 0.25
    warp: float = 5.0
    difficulty: float = 0.6
    rotation: float | None = None


@dataclass(frozen=True)
class Views:
    """Two scans of some bodies, and corresponding points.

    Attributes:
        images: of each (B, 1, k, j, i); their shapes differ.
        points: (B, P, 3) whole voxels of the first, and
        targets: (B, P, 3) positions in voxels of the second, x y z order, of the same anatomy.
        valid: (B, P) bool, where both scans show it.
    """

    images: tuple[torch.Tensor, torch.Tensor]
    points: torch.Tensor
    targets: torch.Tensor
    valid: torch.Tensor


def lattice_voxels(shape: tuple[int, int, int], device: torch.device | str = "cpu") -> torch.Tensor:
    """Voxels (k * j * i, 3) of a lattice, x y z order."""
    axes = [torch.arange(n, device=device, dtype=torch.float32) for n in shape]
    k, j, i = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([i, j, k], -1).reshape(-1, 3)


class FieldOfView:
    """A random box, in voxels of the bodies, beyond which a scan shows nothing or repeats its end."""

    def __init__(self, draw: Draw, size: torch.Tensor) -> None:
        low, high = (
            draw.uniform(0, 4, 3) + size * 0.25 * draw.uniform(0, 1, 3).square() * draw.chance(0.6, 3) for _ in range(2)
        )
        self.low, self.high = low, size - 1 - high
        self.is_empty_beyond = draw.chance(0.5)

    def clamped(self, index: torch.Tensor) -> torch.Tensor:
        """Positions (B, N, 3), moved to the box where they lie beyond."""
        return torch.maximum(torch.minimum(index, self.high[:, None]), self.low[:, None])

    def contains(self, index: torch.Tensor, margin: float = 0.0) -> torch.Tensor:
        """(B, N) bool: whether positions (B, N, 3) lie in the box, ``margin`` voxels from its faces."""
        return ((index >= self.low[:, None] + margin) & (index <= self.high[:, None] - margin)).all(-1)


class _View:
    """A lattice in the body: its shape (k, j, i) and spacing, pose, deformation and field of view."""

    def __init__(self, shape: tuple[int, int, int], spacing: float, pose: Pose, warp: Warp, field: FieldOfView) -> None:
        self.shape, self.spacing, self.pose, self.warp, self.field = shape, spacing, pose, warp, field
        self.center = (torch.tensor(shape[::-1], device=pose.offset.device, dtype=torch.float32) - 1) / 2

    def body_points(self) -> torch.Tensor:
        """The point (B, N, 3) of the body, in mm, that each voxel shows."""
        lattice = lattice_voxels(self.shape, self.center.device) - self.center
        return self.warp(self.pose(lattice * self.spacing))

    def voxels(self, points: torch.Tensor) -> torch.Tensor:
        """The inverse: voxels (B, N, 3) that show points of the body."""
        return self.pose.inverse(self.warp.inverse(points)) / self.spacing + self.center


class ViewSampler:
    """Draws batches; that of a number is always the same on one kind of device.

    Args:
        bodies: what is shown.
        settings: what batches look like.
        seed: of everything random.
        device: where bodies lie and scans are made.
    """

    def __init__(
        self,
        bodies: Sequence[Body],
        settings: ViewSettings = ViewSettings(),
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.settings, self.seed, self.device = settings, seed, torch.device(device)
        largest = [max(body.codes.shape[axis] for body in bodies) for axis in range(3)]
        codes = torch.zeros(len(bodies), *largest, dtype=torch.uint8)
        starts = torch.zeros(len(bodies), STARTS, 3)
        generator = torch.Generator().manual_seed(seed)
        for n, body in enumerate(bodies):
            k, j, i = body.codes.shape
            codes[n, :k, :j, :i] = torch.from_numpy(body.codes)
            filled = torch.nonzero(torch.from_numpy(body.codes) >= (INSIDE if body.kind == "scan" else 1))
            starts[n] = filled[torch.randint(len(filled), (STARTS,), generator=generator)].flip(1).float()
        self.codes, self.starts = codes.to(self.device), starts.to(self.device)
        self.sizes = torch.tensor([body.codes.shape[::-1] for body in bodies], dtype=torch.float32).to(self.device)
        self.scans = torch.tensor([body.kind == "scan" for body in bodies]).to(self.device)
        groups = [body.group for body in bodies]
        odds = torch.tensor([1.0 / groups.count(group) for group in groups])
        self.cumulated = (odds / odds.sum()).cumsum(0).to(self.device)

    @torch.no_grad()
    def batch(self, number: int, count: int) -> Views:
        """Two scans of each of ``count`` bodies."""
        draw = Draw(self.seed * 1_000_003 + number, count, self.device)
        settings = self.settings
        spacing = settings.spacings[draw.one(len(settings.spacings))]
        shapes = [settings.shapes[draw.one(len(settings.shapes))] for _ in range(2)]
        chosen = torch.searchsorted(self.cumulated, draw.uniform(0, 0.999999)).clamp(max=len(self.cumulated) - 1)
        center = self.starts[chosen, draw.integers(STARTS)] * SPACING
        rotation = None if settings.rotation is None else math.radians(settings.rotation)
        poses = random_poses(draw, center, 2, settings.difficulty, rotation)
        views = [
            _View(
                shape,
                spacing,
                pose,
                Warp.random(draw, settings.warped * settings.difficulty, settings.warp),
                FieldOfView(draw, self.sizes[chosen]),
            )
            for shape, pose in zip(shapes, poses, strict=True)
        ]
        codes, scans = self.codes[chosen], self.scans[chosen]
        table = tables(draw, scans)
        other = less_different(table, tables(draw, scans), draw, settings.difficulty)
        first, body = self._seen(codes, scans, table, views[0], draw)
        second, _ = self._seen(codes, scans, other, views[1], draw)
        return Views((first, second), *self._matches(draw, views[0], body, views[1]))

    def _seen(
        self, codes: torch.Tensor, scans: torch.Tensor, table: torch.Tensor, view: _View, draw: Draw
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Image (B, 1, k, j, i) of a view, and whether each voxel is in the body, (B, N) bool."""
        array = torch.stack([intensities(codes, table), inside(codes, scans)], 1)
        where = view.body_points() / SPACING
        size = torch.tensor(codes.shape[:0:-1], device=where.device, dtype=torch.float32)
        index = view.field.clamped(where) * (2 / (size - 1)) - 1
        index = index.view(len(index), *view.shape, 3)
        values = F.grid_sample(array, index, mode="bilinear", padding_mode="border", align_corners=True)
        beyond = view.field.is_empty_beyond[:, None] & ~view.field.contains(where)
        image = values[:, :1].masked_fill(beyond.view(-1, 1, *view.shape), 0.0)
        image = acquired(windowed(random_filters(image, draw), draw), draw, self.settings.difficulty)
        return image, (values[:, 1].flatten(1) > 0.5) & view.field.contains(where, 1.0)

    def _matches(
        self, draw: Draw, one: _View, body: torch.Tensor, other: _View
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Voxels of ``one`` where ``body`` (B, N) is true and which ``other`` shows, as far as there are enough."""
        where = one.body_points()
        targets = other.voxels(where)
        last = torch.tensor(other.shape[::-1], device=self.device) - 1.0
        good = body & other.field.contains(where / SPACING, 1.0) & ((targets >= 0) & (targets <= last)).all(-1)
        order = (20.0 * good + draw.noise(good.shape[1])).topk(self.settings.points, dim=1).indices
        chosen = order[..., None].expand(-1, -1, 3)
        lattice = lattice_voxels(one.shape, self.device).expand(len(order), -1, -1)
        return lattice.gather(1, chosen), targets.gather(1, chosen), good.gather(1, order)
