"""A fixed and a moving volume, and what is worked out of the two once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from .geometry import Grid, apply
from .points import bounding_box, sample_points
from .shading import flattened
from .volume import FINEST, Volume

SPACING = 4.0  # mm, of the level from which points are drawn
POINTS = 2000
PART = 0.6  # of the fixed foreground; a moving volume that shows less is a part of it
SURROUNDINGS = 0.5  # of the larger radius of gyration: how far around brightness is averaged
SLAB = 45.0  # mm of thickness, up to which a volume is a slab
REACH = 60.0  # mm around what one volume shows of the other at a pose: how far a refinement and its blocks may look
LARGE = 20_000_000  # voxels; a smaller volume is not cropped, as what surrounds an edge decides how much it counts
WORTH = 0.6  # of the voxels; a volume of which more is left is not cropped

Made = TypeVar("Made")


def reduced(volume: Volume) -> Volume:
    """The volume at :data:`FINEST` if it is finer: every coarser level is made from that."""
    return volume.resampled(FINEST) if volume.grid.spacing.max() < FINEST else volume


def _part(volume: Volume, other: Volume, poses: Sequence[np.ndarray]) -> Volume:
    """The box of a volume that may meet another one at poses (4, 4), other LPS to volume LPS.

    The volume itself if it is not large, or if that is most of it, or nothing.
    """
    if volume.data.numel() < LARGE:
        return volume
    level = other.resampled(SPACING)
    shown = apply(level.grid.matrix, bounding_box(level.foreground))
    corners = np.concatenate([apply(volume.grid.inverse @ pose, shown) for pose in poses])
    reach = REACH / volume.grid.spacing
    begin = np.clip(np.floor(corners.min(0) - reach), 0, volume.grid.size).astype(int)
    end = np.clip(np.ceil(corners.max(0) + reach) + 1, 0, volume.grid.size).astype(int)
    share = np.prod(end - begin) / np.prod(volume.grid.size)
    return _cropped(volume, begin, end) if 0 < share < WORTH else volume


def _cropped(volume: Volume, begin: np.ndarray, end: np.ndarray) -> Volume:
    """The voxels of a volume from an index (i, j, k) up to, but without, another one."""
    where = tuple(slice(int(a), int(b)) for a, b in zip(begin[::-1], end[::-1], strict=True))
    matrix = volume.grid.matrix.copy()
    matrix[:3, 3] = apply(volume.grid.matrix, begin)
    ni, nj, nk = (int(n) for n in end - begin)
    grid = Grid((ni, nj, nk), matrix)
    return Volume(volume.name, volume.data[where].contiguous(), grid, volume.mask[where].contiguous())


class _Flattened:
    """Two volumes without shading, worked out once for a pair and its swapped one."""

    def __init__(self, fixed: Volume, moving: Volume) -> None:
        self.fixed, self.moving = fixed, moving

    @cached_property
    def volumes(self) -> tuple[Volume, Volume]:
        """Both: see :func:`madreg.image.shading.flattened`."""
        radii = [volume.resampled(SPACING).radius_of_gyration for volume in (self.fixed, self.moving)]
        return flattened(self.fixed, SURROUNDINGS * max(radii)), flattened(self.moving, SURROUNDINGS * max(radii))


class Pair:
    """Two volumes to be registered.

    Args:
        fixed, moving: the volumes, both on one device.
        seed: random seed of the points and of all that samples.

    Attributes:
        fixed, moving: the volumes at :data:`FINEST` or coarser.
    """

    def __init__(self, fixed: Volume, moving: Volume, seed: int = 0) -> None:
        self.fixed, self.moving, self.seed = reduced(fixed), reduced(moving), seed
        self._made: dict[Hashable, Any] = {}
        self._locks: dict[Hashable, threading.RLock] = {}
        self._flattened = _Flattened(self.fixed, self.moving)

    def level(self, spacing: float) -> tuple[Volume, Volume]:
        """Both volumes at a spacing in mm."""
        return self.fixed.resampled(spacing), self.moving.resampled(spacing)

    @property
    def flattened(self) -> tuple[Volume, Volume]:
        """Both volumes without shading: see :func:`madreg.image.shading.flattened`."""
        fixed, moving = self._flattened.volumes
        return (fixed, moving) if self._flattened.fixed is self.fixed else (moving, fixed)

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What ``make`` returns; it is called the first time only, whichever threads ask."""
        if key not in self._made:
            with self._locks.setdefault(key, threading.RLock()):
                if key not in self._made:
                    self._made[key] = make()
        return self._made[key]

    def near(self, poses: Sequence[np.ndarray]) -> Pair:
        """The pair without what neither volume can show of the other at poses (4, 4), fixed LPS to moving LPS, or near.

        A body of 1.9 m so costs little more than its head.  What is measured is measured at the points of the whole
        volumes, so that it means the same.  The pair itself if there is little to leave out.
        """
        fixed = _part(self.fixed, self.moving, [np.linalg.inv(pose) for pose in poses])
        moving = _part(self.moving, self.fixed, poses)
        if fixed is self.fixed and moving is self.moving:
            return self
        near = Pair(fixed, moving, self.seed)
        for part, whole in ((near, self), (near.swapped, self.swapped)):
            part.points, part.moving_is_part = whole.points, whole.moving_is_part
        return near

    @cached_property
    def swapped(self) -> Pair:
        """The moving volume as the fixed one, and the reverse."""
        swapped = Pair(self.moving, self.fixed, self.seed)
        swapped._flattened = self._flattened
        return swapped

    @cached_property
    def points(self) -> np.ndarray:
        """(n, 3) LPS mm: points of the fixed foreground."""
        return sample_points(self.fixed.resampled(SPACING), POINTS, self.seed).cpu().double().numpy()

    @cached_property
    def moving_is_part(self) -> bool:
        """Whether the moving volume shows only a part of what the fixed one shows.

        Points are then drawn in the moving volume, where all of them are used: of points all over a head few lie in a
        slab, too few for a joint histogram.
        """
        whole, shown = (float(volume.foreground.sum()) for volume in self.level(SPACING))
        return shown < PART * whole

    @property
    def is_slab(self) -> bool:
        """Whether either volume is a thin slab."""
        return min(self.fixed.thickness, self.moving.thickness) <= SLAB

    def overlap(self, matrix: np.ndarray) -> float:
        """Share of the fixed foreground that lies where the moving volume has data, at a 4x4 matrix, LPS mm."""
        return self.moving.overlap_fraction(apply(matrix, self.points))

    def greater_overlap(self, matrix: np.ndarray) -> float:
        """Share of the foreground of either volume, the greater of both, that lies where the other has data."""
        return max(self.overlap(matrix), self.swapped.overlap(np.linalg.inv(matrix)))
