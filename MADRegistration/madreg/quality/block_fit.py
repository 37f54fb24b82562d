"""How far off a pose is, by the motion on which the blocks of the fixed scan agree.

The motion is followed for a few rounds, and how far it carries the fixed foreground is the error: it needs no network,
knows no contrast, and sees every error within the reach of the blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..image.geometry import mean_displacement
from ..image.pair import Pair
from .blocks import SPACING, BlockMatching, Blocks, Motion

FEWEST_BLOCKS = 12
ROUNDS = 3
LEAST_CONSENSUS = 0.01  # below which blocks show nothing
SETTLED_MM = 4.0  # a motion shorter than this is not followed any further


@dataclass(frozen=True)
class BlockFit:
    """What the blocks say of a pose.

    Attributes:
        pose: (4, 4) fixed LPS to moving LPS, that was asked about.
        preferred: (4, 4) on which they agree best.
        error_mm: mean distance between both over the fixed foreground.
        blocks: the last ones compared, about the pose ``blocks_at`` (4, 4), and the ``motion`` on which they agree.
        first_blocks: those about the pose itself, and the ``first_motion`` on which they agree.
    """

    pose: np.ndarray
    preferred: np.ndarray
    error_mm: float
    blocks: Blocks
    motion: Motion
    blocks_at: np.ndarray
    first_blocks: Blocks
    first_motion: Motion


def block_matching_of(pair: Pair) -> BlockMatching:
    """The blocks of a pair; made once."""
    return pair.once("blocks", lambda: BlockMatching(*pair.level(SPACING)))


def fit_blocks(
    matching: BlockMatching, pose: np.ndarray, points: np.ndarray, kind: str = "rigid", rounds: int = ROUNDS
) -> BlockFit | None:
    """Follow the blocks from a pose; None where too few show anything that could agree.

    Args:
        matching: of the pair.
        pose: (4, 4), fixed LPS to moving LPS.
        points: (n, 3) LPS mm of the fixed foreground, over which the error is averaged.
        kind: of the transform that was looked for.
        rounds: how often to follow the blocks.
    """
    preferred, rounds_done = np.asarray(pose, float), []
    for _ in range(rounds):
        blocks = matching.about(preferred)
        if len(blocks.centers) < FEWEST_BLOCKS:
            break
        motion, here = blocks.motion(kind), preferred
        if motion.consensus < LEAST_CONSENSUS:
            break
        rounds_done.append((blocks, motion, here))
        preferred = here @ motion.matrix
        if mean_displacement(here, preferred, points) < SETTLED_MM:
            break
    if not rounds_done:
        return None
    error_mm = mean_displacement(pose, preferred, points)
    return BlockFit(np.asarray(pose, float), preferred, error_mm, *rounds_done[-1], *rounds_done[0][:2])
