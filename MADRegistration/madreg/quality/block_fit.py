"""The error of a pose, from the motion on which the blocks of the fixed scan agree.

The motion is followed for a few rounds; the mean displacement of the fixed foreground under it is the error.  It needs
no network, does not depend on contrast, and covers every error within the reach of the blocks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..image.geometry import mean_displacement
from ..image.pair import Pair
from ..system.parallel import parallel_map
from .block_matching import BlockMatching
from .blocks import SPACING, Blocks
from .motion import Motion, common_motion

FEWEST_BLOCKS = 12
ROUNDS = 3
LEAST_CONSENSUS = 0.01  # below which blocks show nothing
# At right poses of tuning pairs an affine motion gains 0.003 to 0.043 (a distorted EPI the most), and where the slice
# distance is wrong by 4, 6 and 8 %, 0.03, 0.05 and 0.086 (a synthetic head wrong by 15 %: less than 0.065).
GAIN = 0.05
SETTLED_MM = 4.0  # a motion shorter than this is not followed any further


@dataclass(frozen=True)
class BlockFit:
    """The result of block matching at a pose.

    Attributes:
        pose: (4, 4) fixed LPS to moving LPS, that was assessed.
        preferred: (4, 4) on which they agree best.
        error_mm: mean distance between both over the fixed foreground.
        blocks: the last ones compared, about the pose ``blocks_at`` (4, 4), and the ``motion`` on which they agree.
        rigid: the rigid motion on which those about the pose itself agree.
        is_stretched: whether they agree clearly better on a motion that stretches.
    """

    pose: np.ndarray
    preferred: np.ndarray
    error_mm: float
    blocks: Blocks
    motion: Motion
    blocks_at: np.ndarray
    rigid: Motion
    is_stretched: bool


def block_matching_of(pair: Pair) -> BlockMatching:
    """The blocks of a pair; made once."""
    return pair.once("blocks", lambda: BlockMatching(*pair.level(SPACING)))


def fit_blocks(
    matching: BlockMatching, pose: np.ndarray, points: np.ndarray, rounds: int = ROUNDS, may_stretch: bool = True
) -> BlockFit | None:
    """Follow the blocks from a pose; None where too few show anything that could agree.

    Their motion is affine where that gains, for every type of transform: what a rigid transform cannot correct is an
    error as well.

    Args:
        matching: of the pair.
        pose: (4, 4), fixed LPS to moving LPS.
        points: (n, 3) LPS mm of the fixed foreground, over which the error is averaged.
        rounds: how often to follow the blocks.
        may_stretch: whether an affine motion counts.
    """
    preferred, rounds_done, rigid, is_stretched = np.asarray(pose, float), [], None, False
    for _ in range(rounds):
        blocks = matching.about(preferred)
        if len(blocks.centers) < FEWEST_BLOCKS:
            break
        kinds = ["rigid", "affine"] if may_stretch else ["rigid"]
        motions = parallel_map(partial(common_motion, blocks), kinds, blocks.weight.device)
        plain, stretched, here = motions[0], motions[-1], preferred
        rigid = rigid or plain
        gains = stretched.consensus > plain.consensus + GAIN
        motion = stretched if gains else plain
        if motion.consensus < LEAST_CONSENSUS:
            break
        is_stretched |= gains
        rounds_done.append((blocks, motion, here))
        preferred = here @ motion.matrix
        if mean_displacement(here, preferred, points) < SETTLED_MM:
            break
    if not rounds_done or rigid is None:
        return None
    error_mm = mean_displacement(pose, preferred, points)
    return BlockFit(np.asarray(pose, float), preferred, error_mm, *rounds_done[-1], rigid, is_stretched)


def shared_consensus(pair: Pair, motion: Motion, pose: np.ndarray) -> float:
    """The consensus of a motion, times the square root of the share of either scan that lies in the other at a pose
    (4, 4): of few blocks it is easily high."""
    return float(motion.consensus * np.sqrt(pair.greater_overlap(pose)))


def at_pose(matching: BlockMatching, found: BlockFit) -> BlockFit:
    """What blocks show about the pose itself, wherever they led."""
    blocks = matching.about(found.pose)
    return replace(found, preferred=found.pose, blocks=blocks, motion=found.rigid, blocks_at=found.pose)
