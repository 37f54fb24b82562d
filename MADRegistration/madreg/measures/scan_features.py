"""Features of a whole scan, and where in the world they lie."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np
import torch
import torch.nn.functional as F

from ..image.foreground import row_ends
from ..image.geometry import Grid, apply, rotation_angle
from ..image.sampling import sample_array, sample_lattice
from ..image.volume import Volume
from ..network.features import MATCHED, FeatureNetwork
from .network_input import level_inverse, network_input

MARGIN_MM = 15.0
"""Of what lies around the foreground, so much is encoded."""
ROTATED_DEGREES = 1.5
"""Lattices whose axes agree to this are not worth another encoding.  Of a head rotated by 10 degrees in its lattice the
measure is lowest 1.5 mm from the truth."""


@dataclass(frozen=True)
class LevelFeatures:
    """Unit features (C, k, j, i) of one resolution; ``inverse`` is the 4x4 matrix from LPS mm to their index."""

    features: torch.Tensor
    inverse: torch.Tensor
    mean: torch.Tensor
    """(C,): mean over the foreground."""

    def at(self, points: torch.Tensor) -> torch.Tensor:
        """Unit features (C, ...) at world points (..., 3), LPS mm, differentiable in these.

        They are normalized once more: the mean of unlike neighbours is shorter, and a lattice must not differ from the
        places between its points.
        """
        return F.normalize(sample_array(self.features, self.inverse, points), dim=0)


@dataclass(frozen=True, eq=False)
class EncodedScan:
    """A volume and its features, which are computed when they are asked for.

    Attributes:
        volume: at any resolution.
        network: that makes the features.
        axes: (3, 3), columns are the directions of the lattice's axes i, j, k in LPS: see :func:`lattice_axes`.
        numbers: of the levels.
        near: points (n, 3), LPS mm; what lies away from all of them is left out.
        for_matches: whether these are the longer features by which points are matched, of their level alone.
        shift: of the lattice along each of its axes, in voxels of the finest level.
    """

    volume: Volume
    network: FeatureNetwork
    axes: np.ndarray
    numbers: Collection[int]
    near: np.ndarray | None = None
    for_matches: bool = False
    shift: float = 0.0

    @cached_property
    @torch.no_grad()
    def levels(self) -> dict[int, LevelFeatures]:
        """The features of the foreground at each level, by its number."""
        finest = self.network.input_level(self.numbers)
        spacing = self.network.settings.spacing * 2**finest
        volume = self.volume.resampled(spacing)
        grid = _covering(volume, self.axes, spacing, self.network.multiple // 2**finest, self.near)
        grid = grid.shifted(self.shift)
        foreground = sample_lattice(volume.foreground.float()[None], volume.grid, np.eye(4), grid, "zeros")[None]
        found = {}
        for level, features in self._encoded(network_input(volume, grid)).items():
            weight = F.avg_pool3d(foreground, 2 ** (level - finest))[0, 0]
            mean = torch.einsum("ckji,kji->c", features[0], weight) / weight.sum().clamp(min=1e-3)
            inverse = torch.as_tensor(level_inverse(grid, level - finest), dtype=torch.float32, device=volume.device)
            found[level] = LevelFeatures(features[0], inverse, mean)
        return found

    def _encoded(self, image: torch.Tensor) -> dict[int, torch.Tensor]:
        """Unit features (1, C, k, j, i) of an image (1, 1, k, j, i) by the number of their level."""
        return {MATCHED: self.network.matched(image)} if self.for_matches else self.network.some(image, self.numbers)


def lattice_axes(volume: Volume, wanted: np.ndarray, turn: bool = False) -> np.ndarray:
    """The scan's own axes (3, 3), a column each, in the order and with the signs nearest to the wanted ones.

    Args:
        turn: take the wanted axes themselves where the scan's own are more than :data:`ROTATED_DEGREES` from them.
    """
    own = volume.grid.axes
    order = max(permutations(range(3)), key=lambda p: sum(abs(own[:, p[n]] @ wanted[:, n]) for n in range(3)))
    own = own[:, list(order)]
    own = own * np.where((own * wanted).sum(0) < 0, -1.0, 1.0)
    return wanted if turn and rotation_angle(own.T @ wanted) > ROTATED_DEGREES else own


def is_near(volume: Volume, points: np.ndarray) -> np.ndarray:
    """bool (n,): which points (n, 3), LPS mm, lie in the field of view of a scan or :data:`MARGIN_MM` around it."""
    index = apply(volume.grid.inverse, points)
    margin = MARGIN_MM / volume.grid.spacing
    return np.all((index >= -margin) & (index <= np.array(volume.grid.size) - 1 + margin), axis=1)


def _covering(volume: Volume, axes: np.ndarray, spacing: float, multiple: int, near: np.ndarray | None) -> Grid:
    """A lattice along ``axes`` over the foreground and a margin within the field of view, with sides that are
    multiples of a number; only around points ``near`` (n, 3) if they are given."""
    shown = apply(volume.grid.matrix, row_ends(volume.foreground))
    boxes = [_box(shown @ axes, MARGIN_MM), _box(volume.grid.corners @ axes, 0.0)]
    if near is not None:
        boxes.append(_box(near @ axes, MARGIN_MM))
    low, high = np.max([box[0] for box in boxes], 0), np.min([box[1] for box in boxes], 0)
    high = np.maximum(low, high)
    size = multiple * np.maximum(np.ceil(((high - low) / spacing + 1) / multiple - 1e-6).astype(int), 1)
    matrix = np.eye(4)
    matrix[:3, :3] = axes * spacing
    matrix[:3, 3] = axes @ ((low + high) / 2 - spacing * (size - 1) / 2)
    return Grid((int(size[0]), int(size[1]), int(size[2])), matrix)


def _box(points: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest coordinates (3,) of points (n, 3), with a margin."""
    return points.min(0) - margin, points.max(0) + margin
