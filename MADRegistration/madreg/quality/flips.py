"""A pose against its 180-degree flips, which many bodies nearly allow.

How much blocks agree differs from contrast to contrast, so it is compared with what the same two scans reach where
they do not fit: the pose turned by 180 degrees about each axis.  The few blocks of a slab agree nearly anywhere, and
what one scan alone shows, such as the couch in a CT, agrees with nothing; NMI and NGF are then compared as well.
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
from .blocks import BlockMatching

FLIP_CONSENSUS = 0.4  # flipped poses of tuning pairs reach 0.2 to 0.46, wrong ones refined with NMI 0.53
CLEAR_CONSENSUS = (
    0.75  # wrong poses of synthetic bodies, whose outline alone fits, reach 0.73; right ones 0.84 and more
)
LEAST_CONSENSUS = 0.1  # below which no blocks agree


def flipped_poses(pose: np.ndarray, center: np.ndarray, axes: np.ndarray | None = None) -> list[np.ndarray]:
    """The pose (4, 4) after a 180-degree turn of the fixed scan about each axis through ``center`` (3,), LPS mm.

    Args:
        axes: (3, 3), a unit vector a column; those of the world by default.
    """
    axes = np.eye(3) if axes is None else axes
    return [pose @ about(center, 2 * np.outer(axis, axis) - np.eye(3)) for axis in axes.T]


def flip_ratio(
    matching: BlockMatching, consensus: float, flips: Sequence[np.ndarray]
) -> tuple[float, np.ndarray | None]:
    """The blocks' consensus at a pose as a multiple of that at the best of its flips, and that flip.

    A consensus that no wrong pose comes near is not compared: the ratio is then that to :data:`FLIP_CONSENSUS`, and
    there is no flip.

    Args:
        consensus: on a rigid motion about the pose.
        flips: (4, 4) each; the one that is returned is where its blocks prefer it.
    """
    if consensus >= CLEAR_CONSENSUS:
        return consensus / FLIP_CONSENSUS, None

    def followed(flip: np.ndarray) -> tuple[float, np.ndarray | None]:
        its_blocks = matching.about(flip, few=True)
        if len(its_blocks.centers) < FEWEST_BLOCKS:
            return 0.0, None
        motion = its_blocks.motion()
        return motion.consensus, flip @ restricted(motion.matrix, its_blocks.centers.cpu().double().numpy(), "rigid")

    found = parallel_map(followed, flips, matching.moving.device)
    strongest, preferred = max(found, key=lambda one: one[0])
    return consensus / max(strongest, LEAST_CONSENSUS), preferred


def flip_margin(pair: Pair, pose: np.ndarray, kind: str) -> tuple[float, np.ndarray]:
    """By how much NMI and NGF together are better at a pose than at its best flip, refined; and that flip (4, 4)."""
    inverse = np.linalg.inv(pose)
    center = apply(inverse, pair.swapped.points).mean(0) if pair.moving_is_part else pair.points.mean(0)
    flips = flipped_poses(pose, center, pair.fixed.grid.axes)
    flips, _ = CANDIDATES.objective(pair).descend(np.stack(flips), kind, CANDIDATES.schedule)
    here, *there = MEDIUM.objective(pair).values(np.stack([pose, *flips]))
    best = int(np.argmin(there))
    return float(there[best] - here), flips[best]
