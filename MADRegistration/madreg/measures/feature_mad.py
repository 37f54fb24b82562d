"""MAD from features: each scan is encoded once, and an evaluation compares features at some thousand points."""

from __future__ import annotations

import copy
from collections.abc import Collection
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch

from ..image.geometry import apply, nearest_orthogonal, rotation_angle
from ..image.pair import Pair
from ..image.points import map_points, sample_points
from ..image.volume import Volume
from ..network import weights
from ..network.features import FeatureNetwork
from .scan_features import ROTATED_DEGREES, EncodedScan, is_near, lattice_axes

SAMPLES = 6000


class FeatureMAD:
    """One minus how much more alike than chance the features of corresponding points are, over the fixed foreground.

    The cosine of two features, less that of the fixed feature with the mean of the moving foreground, is averaged over
    the points and the levels of the network.  A point that the transform moves out of the moving scan adds nothing, so
    lost overlap costs.

    Args:
        fixed, moving: the pair, intensities normalized (0 background, about 1 bright).
        network: from :func:`madreg.network.weights.load_features`; the bundled one if None.
        seed: of the points.
        samples: how many points.
        levels: numbers of those that are compared; all if None.

    Attributes:
        points: (n, 3) float32 LPS mm, the fixed points.
        share: of all points drawn; what the others add is left out as they have no counterpart.
        level_weights: of the levels in the mean, by number.
    """

    name = "mad"

    def __init__(
        self,
        fixed: Volume,
        moving: Volume,
        network: FeatureNetwork | None = None,
        seed: int = 0,
        samples: int = SAMPLES,
        levels: Collection[int] | None = None,
    ) -> None:
        network = network or weights.load_features(device=fixed.device)[0]
        fixed, moving = (volume.resampled(network.settings.spacing) for volume in (fixed, moving))
        self.points, self.share, self.seed = sample_points(fixed, samples, seed), 1.0, seed
        self.level_weights = dict.fromkeys(range(len(network.levels)) if levels is None else levels, 1.0)
        axes = lattice_axes(fixed, np.eye(3))
        of_fixed = EncodedScan(fixed, network, axes, tuple(self.level_weights))
        self._compare(of_fixed, replace(of_fixed, volume=moving, axes=lattice_axes(moving, axes)))

    def _compare(self, fixed: EncodedScan, moving: EncodedScan) -> None:
        self.fixed, self.moving = fixed, moving
        self.fixed_features = {number: fixed.levels[number].at(self.points) for number in self.level_weights}
        vars(self).pop("chance", None)

    @cached_property
    def chance(self) -> dict[int, torch.Tensor]:
        """(n,) by level: how alike the feature of each point and the mean of the moving foreground are."""
        return {n: torch.einsum("cn,c->n", at, self.moving.levels[n].mean) for n, at in self.fixed_features.items()}

    def __call__(self, matrices: torch.Tensor) -> torch.Tensor:
        return 1 - self.share * self.alike(matrices).mean(-1)

    def alike(self, matrices: torch.Tensor) -> torch.Tensor:
        """(B, n): how much more alike than chance the features of each point are under (B, 4, 4) matrices, fixed LPS to
        moving LPS; 0 where a point has no counterpart."""
        where = map_points(matrices, self.points)
        inside = self.moving.volume.sample(where)[1]
        alike = torch.zeros_like(inside)
        for number, weight in self.level_weights.items():
            # several times faster than a product of matrices, one a point
            cosine = (self.fixed_features[number][:, None] * self.moving.levels[number].at(where)).sum(0)
            alike = alike + weight * (cosine - self.chance[number])
        return alike * inside / sum(self.level_weights.values())

    def coarse(self) -> FeatureMAD:
        """The measure of all levels but the finest, to be used far from the true pose.

        The finest features agree within a few millimeters alone; farther off they are noise.  Of the others, those that
        see farther count more.
        """
        return _weighted(self, {number: float(number) for number in self.level_weights if number > 0})

    def of_level(self, number: int) -> FeatureMAD:
        """The measure of one level alone; that of the finest is low within a few millimeters of the true pose only."""
        return _weighted(self, {number: 1.0})

    def swapped(self) -> FeatureMAD:
        """The same measure of the swapped pair, of points all over the moving scan, with the same encodings."""
        other = copy.copy(self)
        other.points, other.share = sample_points(self.moving.volume, len(self.points), self.seed), 1.0
        other._compare(self.moving, self.fixed)
        return other

    def seen_from(self, pose: np.ndarray, part: bool = False) -> FeatureMAD:
        """The same measure, to be used near a 4x4 pose, fixed LPS to moving LPS: features depend on the axes of the
        lattice, so the moving scan is encoded as it is seen from there.

        Args:
            part: leave out the points that lie far outside of the moving scan there, and encode only what lies near the
                others, which takes less time.
        """
        axes = lattice_axes(self.moving.volume, rotated(pose, self.fixed.axes), turn=True)
        return self._part_near(pose, axes) if part else self._along(axes)

    def starting_from(self, pose: np.ndarray) -> FeatureMAD:
        """The same measure, to start from a 4x4 pose: its own axes, as near to the fixed ones as they get.

        Most scans lie along the axes of the body, so their own axes are a better guess than a pose that is far off.
        """
        return self._along(lattice_axes(self.moving.volume, rotated(pose, self.fixed.axes)))

    def _along(self, axes: np.ndarray, near: np.ndarray | None = None) -> FeatureMAD:
        if near is None and np.allclose(axes, self.moving.axes):
            return self
        other = copy.copy(self)
        other._compare(self.fixed, replace(self.moving, axes=axes, numbers=tuple(self.level_weights), near=near))
        return other

    def _part_near(self, pose: np.ndarray, axes: np.ndarray) -> FeatureMAD:
        """The same measure with the points alone that lie near the moving scan at a 4x4 pose, encoded around them."""
        there = apply(pose, self.points.cpu().numpy())
        kept = torch.as_tensor(is_near(self.moving.volume, there), device=self.points.device)
        if not kept.any():
            return self._along(axes)
        other = copy.copy(self)
        other.points, other.share = self.points[kept], self.share * float(kept.float().mean())
        return other._along(axes, there[kept.cpu().numpy()])


def _weighted(measure: FeatureMAD, level_weights: dict[int, float]) -> FeatureMAD:
    """The same measure with other weights of its levels; itself if there are none."""
    if not level_weights:
        return measure
    other = copy.copy(measure)
    other.level_weights = level_weights
    return other


def finest_between(measure: FeatureMAD) -> FeatureMAD:
    """The same measure of the finest level alone, encoded on lattices half a voxel away.

    Between the points of a lattice features are interpolated, which moves the minimum; that of both is moved less.
    """
    finest = min(measure.level_weights)
    other = copy.copy(measure.of_level(finest))
    other._compare(*(replace(scan, numbers=(finest,), shift=0.5) for scan in (measure.fixed, measure.moving)))
    return other


def is_rotated(measure: FeatureMAD, pose: np.ndarray) -> bool:
    """Whether a 4x4 pose rotates the fixed lattice against the moving one so far that another encoding is due."""
    return rotation_angle(measure.moving.axes.T @ rotated(pose, measure.fixed.axes)) > ROTATED_DEGREES


def rotated(pose: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Axes (3, 3), a column each, under the rotation nearest to a 4x4 pose."""
    return nearest_orthogonal(pose[:3, :3]) @ axes


def feature_mad_of(pair: Pair, weights_path: str | None = None) -> FeatureMAD:
    """The measure of a pair; made once.

    Args:
        weights_path: ``.pt`` file of the network; the bundled one if None.

    Raises:
        InputError: if the weights are missing, damaged or foreign.
    """

    def make() -> FeatureMAD:
        return FeatureMAD(pair.fixed, pair.moving, weights.load_features(weights_path, pair.fixed.device)[0], pair.seed)

    return pair.once(("feature_mad", weights_path), make)
