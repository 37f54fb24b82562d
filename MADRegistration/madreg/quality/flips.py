"""A pose compared with its 180-degree flips, under which many bodies are nearly symmetric.

How well blocks agree depends on the contrasts, so it is compared with what the same two scans reach at wrong poses:
the pose rotated by 180 degrees about each axis.  The few blocks of a slab agree nearly anywhere, and what only one scan
shows, such as the couch in a CT, agrees with nothing; NMI and NGF are then compared as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..descent.refinement import CANDIDATES, MEDIUM
from ..image.fitting import restricted
from ..image.geometry import about, apply
from ..image.pair import Pair
from ..system.parallel import parallel_map
from .block_fit import FEWEST_BLOCKS
from .block_matching import BlockMatching
from .motion import common_motion

LEAST_CONSENSUS = 0.1  # below which no blocks agree


def flipped_poses(pose: np.ndarray, center: np.ndarray, axes: np.ndarray | None = None) -> list[np.ndarray]:
    """The pose (4, 4) after a 180-degree rotation of the fixed scan about each axis through ``center`` (3,), LPS mm.

    Args:
        axes: (3, 3), a unit vector a column; those of the world by default.
    """
    axes = np.eye(3) if axes is None else axes
    return [pose @ about(center, 2 * np.outer(axis, axis) - np.eye(3)) for axis in axes.T]


def mirrored_poses(pose: np.ndarray, center: np.ndarray, axes: np.ndarray) -> list[np.ndarray]:
    """The pose (4, 4) after a reflection of the fixed scan across each plane through ``center`` (3,), LPS mm.

    Args:
        axes: (3, 3), the planes' normals, a unit vector a column.
    """
    return [pose @ about(center, np.eye(3) - 2 * np.outer(axis, axis)) for axis in axes.T]


def best_consensus(matching: BlockMatching, poses: Sequence[np.ndarray]) -> tuple[float, np.ndarray | None]:
    """The highest consensus of blocks about any of some poses (4, 4), and where they prefer that pose.

    A third of the blocks is used; no pose is returned where there are too few.
    """

    def followed(pose: np.ndarray) -> tuple[float, np.ndarray | None]:
        blocks = matching.about(pose, few=True)
        if len(blocks.centers) < FEWEST_BLOCKS:
            return 0.0, None
        motion = common_motion(blocks)
        return motion.consensus, pose @ restricted(motion.matrix, blocks.centers.cpu().double().numpy(), "rigid")

    return max(parallel_map(followed, poses, matching.moving.device), key=lambda one: one[0])


def flip_ratio(
    matching: BlockMatching, consensus: float, flips: Sequence[np.ndarray]
) -> tuple[float, np.ndarray | None]:
    """The blocks' consensus at a pose as a multiple of that at the best of its flips, and that flip.

    Args:
        consensus: on a rigid motion about the pose.
        flips: (4, 4) each; the one that is returned is where its blocks prefer it.
    """
    strongest, preferred = best_consensus(matching, flips)
    return consensus / max(strongest, LEAST_CONSENSUS), preferred


def flip_margin(pair: Pair, pose: np.ndarray, kind: str) -> tuple[float, np.ndarray]:
    """By how much NMI and NGF together are better at a pose than at its best flip, refined; and that flip (4, 4)."""
    inverse = np.linalg.inv(pose)
    center = apply(inverse, pair.swapped.points).mean(0) if pair.moving_is_part else pair.points.mean(0)
    starts = np.stack(flipped_poses(pose, center, pair.fixed.grid.axes))
    flips, _ = CANDIDATES.objective(pair).descend(starts, kind, CANDIDATES.schedule)
    here, *there = MEDIUM.objective(pair).values(np.stack([pose, *flips]))
    best = int(np.argmin(there))
    return float(there[best] - here), flips[best]
