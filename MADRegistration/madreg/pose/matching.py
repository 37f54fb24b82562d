"""Matches of MAD's features between two volumes, and where they meet.

A point of one volume and one of the other whose features are most alike to each other are a match (mutual nearest
neighbors).  Most matches are wrong, and scattered; the right ones lie at nearly one translation, where far more of them
meet than by chance, though they may be a few in a hundred.  A rigid transform is fitted to those that meet.

Source of the votes: Ballard 1981, "Generalizing the Hough transform to detect arbitrary shapes".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ..image.fitting import robust_fit
from ..image.geometry import apply
from ..image.points import sample_points
from ..image.volume import Volume
from ..measures.scan_features import EncodedScan, lattice_axes
from ..network.features import MATCHED, FeatureNetwork

MOST_TARGETS = 60_000  # points of the larger volume, among which those of the smaller one are matched
AT_ONCE = 2_000_000  # cosines, which stay in the cache of a processor
BIN_MM = 8.0  # of the histogram of votes, of which 3 bins along each axis are one place
CHANCE = 50_000  # pairs of points that show how many votes meet by chance
PEAKS = 4  # of each rotation
MEETING_MM = 30.0  # of a place: votes that a pose is fitted to first, which lie scattered if the rotation is off
FITTING_MM = 15.0  # of the pose: matches that it is fitted to again
ROUNDS = 3
FEWEST = 6  # matches that a pose is fitted to


@dataclass(frozen=True)
class Meeting:
    """A place where votes meet.

    Attributes:
        score: by how many standard errors the votes exceed those by chance.
        rotation: (3, 3) from which the matches were found, and
        translation: (3,) before it, at which they meet.
        points, targets: (M, 3) LPS mm, all that match.
    """

    score: float
    rotation: np.ndarray
    translation: np.ndarray
    points: np.ndarray
    targets: np.ndarray

    def fitted(self) -> np.ndarray:
        """The rigid pose (4, 4) of the matches that meet."""
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = self.rotation, self.rotation @ self.translation
        for within in (MEETING_MM, *[FITTING_MM] * ROUNDS):
            near = np.linalg.norm(apply(pose, self.points) - self.targets, axis=1) < within
            if near.sum() < FEWEST:
                break
            pose = robust_fit(self.points[near], self.targets[near], np.ones(near.sum()))
        return pose


class Matching:
    """Matches of points of a volume, seen from any rotation, and points of another one.

    Args:
        smaller, larger: the volumes.
        network: of the features.
        points: of the smaller volume.
        seed: of the points.
    """

    def __init__(self, smaller: Volume, larger: Volume, network: FeatureNetwork, points: int, seed: int) -> None:
        self.smaller, self.network, self.axes = smaller, network, lattice_axes(larger, np.eye(3))
        spacing = network.settings.spacing * 2**MATCHED
        self.points = sample_points(smaller.resampled(spacing), points, seed)
        self.targets = sample_points(larger.resampled(spacing), MOST_TARGETS, seed)
        self.features = self._features(larger, self.axes, self.targets)

    def seen_from(self, rotation: np.ndarray) -> list[Meeting]:
        """Where matches meet if the smaller volume is rotated by (3, 3), smaller to larger directions."""
        here, there = _mutual(self._features(self.smaller, rotation.T @ self.axes, self.points), self.features)
        if len(here) < FEWEST:
            return []
        points, targets, all_targets = (
            some.cpu().double().numpy() for some in (self.points[here], self.targets[there], self.targets)
        )
        places = _peaks(targets @ rotation - points, _by_chance(points, all_targets @ rotation))
        return [Meeting(score, rotation, translation, points, targets) for translation, score in places]

    @torch.no_grad()
    def _features(self, volume: Volume, axes: np.ndarray, points: torch.Tensor) -> torch.Tensor:
        """Unit features (N, C) at points of a volume, less their mean: without it, all are alike."""
        found = EncodedScan(volume, self.network, axes, (MATCHED,), for_matches=True).levels[MATCHED].at(points).T
        return F.normalize(found - found.mean(0), dim=1)


def _mutual(first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices (M,) of the unit features (N, C) of two images that are each most alike to the other."""
    there = _most_alike(first, second)
    here = torch.arange(len(first), device=first.device)
    are_mutual = _most_alike(second[there], first) == here
    return here[are_mutual], there[are_mutual]


def _most_alike(some: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """(N,) index of the most alike of other unit features (K, C), of each of some (N, C)."""
    return torch.cat([(part @ others.T).max(1).indices for part in some.split(max(AT_ONCE // len(others), 1))])


def _by_chance(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Translations (n, 3) from points (M, 3) to targets (K, 3) that have nothing to do with each other."""
    random = np.random.default_rng(0)
    first, second = (random.integers(len(some), size=CHANCE) for some in (points, targets))
    return targets[second] - points[first]


def _peaks(votes: np.ndarray, by_chance: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Where votes (n, 3) meet more often than those by chance (m, 3), and by how many standard errors."""
    both = np.concatenate([votes, by_chance])
    low = both.min(0) - BIN_MM
    shape = tuple(np.ceil((both.max(0) - low) / BIN_MM).astype(int) + 2)

    def counted(some: np.ndarray) -> torch.Tensor:
        index = np.ravel_multi_index(tuple(((some - low) / BIN_MM).astype(int).T), shape)
        count = torch.as_tensor(np.bincount(index, minlength=int(np.prod(shape))), dtype=torch.float32)
        return 27 * _mean_around(count.view(1, 1, *shape))

    expected = _mean_around(counted(by_chance)) * len(votes) / len(by_chance)
    excess = (counted(votes) - expected) / (expected + 1).sqrt()
    is_peak = excess == F.max_pool3d(excess, 5, 1, 2)
    best = torch.where(is_peak, excess, 0.0).flatten().topk(min(PEAKS, excess.numel()))
    places = np.stack(np.unravel_index(best.indices.numpy(), shape), -1)
    return [(low + (place + 0.5) * BIN_MM, score) for place, score in zip(places, best.values.tolist(), strict=True)]


def _mean_around(values: torch.Tensor) -> torch.Tensor:
    """Mean of 3 by 3 by 3 values (1, 1, k, j, i), with zeros around."""
    return F.avg_pool3d(values, 3, 1, 1)
