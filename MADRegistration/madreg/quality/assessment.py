"""The whole assessment of a pose: its error, whether a 180-degree flip fits as well, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..image.fitting import restricted
from ..image.geometry import apply, mean_displacement
from ..image.pair import Pair
from ..image.transform import Transform
from .block_fit import FEWEST_BLOCKS, block_matching_of, fit_blocks
from .flips import LEAST_CONSENSUS, best_consensus, flip_margin, flip_ratio, flipped_poses, mirrored_poses
from .motion import common_motion
from .quality import CLEAR_RATIO, SURE_MARGIN, Quality
from .shape import Stretch, is_supported

PLAUSIBLE = 0.14  # logarithm of a stretch along one axis: 15 %
ANOTHER_MM = 20.0  # apart, two poses are not the same
OTHERS = 4  # poses that are compared
TOWARDS = 0.8  # of the distance to the pose; a pose that is led closer leads to it
LEAST_OVERLAP = 0.01  # of the fixed foreground; less is no overlap at all


def assess(pair: Pair, transform: Transform, kind: str = "rigid", others: Sequence[Transform] = ()) -> Quality | None:
    """How good a pose is; None where the volumes do not overlap.

    Args:
        kind: of the transform that was looked for: ``rigid``, ``similarity`` or ``affine``.
        others: that were found as well, the likeliest first; those far from the pose are compared with it.
    """
    pose = transform.matrix
    overlap = pair.overlap(pose)
    if overlap < LEAST_OVERLAP:
        return None
    found = fit_blocks(block_matching_of(pair), pose, pair.points)
    if found is None:
        quality = Quality(transform, None, 0.0, 0.0, transform, overlap)
    else:
        flips = flipped_poses(pose, pair.points.mean(0), pair.fixed.grid.axes)
        ratio, flipped = flip_ratio(block_matching_of(pair), found.rigid.consensus, flips)
        stretch = Stretch.of((np.linalg.inv(pose) @ found.preferred)[:3, :3])
        quality = Quality(
            transform,
            found.error_mm,
            found.motion.consensus,
            ratio,
            Transform(pose @ restricted(np.linalg.inv(pose) @ found.preferred, pair.points, kind)),
            overlap,
            None if flipped is None else Transform(flipped),
            blocks=found.blocks,
            motion=found.motion,
            blocks_at=Transform(found.blocks_at),
            stretch=stretch if found.is_stretched and stretch.is_clear else None,
            others_ratio=_others_ratio(pair, pose, found.rigid.consensus, others),
            has_doubtful_shape=_has_doubtful_shape(pair, pose),
        )
    if pair.is_slab or quality.flip_ratio < CLEAR_RATIO or quality.verdict == "failed":
        margin, better = flip_margin(pair, pose, kind)
        quality = replace(quality, flip_margin=margin, flipped=Transform(better))
        if not pair.is_slab and margin >= SURE_MARGIN:
            quality = replace(quality, flip_ratio=max(quality.flip_ratio, _swapped_flip_ratio(pair, pose)))
    if quality.verdict != "failed":
        quality = replace(quality, is_mirrored=_is_mirrored(pair, pose))
    return quality


def _others_ratio(pair: Pair, pose: np.ndarray, consensus: float, others: Sequence[Transform]) -> float | None:
    """The consensus at a pose as a multiple of that at the best of the others; None where none is another pose.

    A pose whose blocks lead towards this one is not another pose.
    """
    apart = [one.matrix for one in others if mean_displacement(one.matrix, pose, pair.points) > ANOTHER_MM]
    strongest = None
    for other in apart[:OTHERS]:
        blocks = block_matching_of(pair).about(other, few=True)
        if len(blocks.centers) < FEWEST_BLOCKS:
            continue
        motion = common_motion(blocks)
        before, after = (mean_displacement(one, pose, pair.points) for one in (other, other @ motion.matrix))
        if after > TOWARDS * before:
            strongest = max(strongest or 0.0, motion.consensus)
    return None if strongest is None else consensus / max(strongest, LEAST_CONSENSUS)


def _is_mirrored(pair: Pair, pose: np.ndarray) -> bool:
    """Whether the blocks agree better on a mirror image of the fixed scan.

    Bodies are nearly symmetric, but not quite: at right poses of ten tuning pairs (heads, slabs of T2 on T1, slabs of
    several directions) mirror images reach 0.87 to 0.96 of the consensus.
    """
    mirrored = mirrored_poses(pose, pair.points.mean(0), pair.fixed.grid.axes)
    matching = block_matching_of(pair)
    return best_consensus(matching, mirrored)[0] > best_consensus(matching, [pose])[0]


def estimated_error(pair: Pair, transform: Transform) -> float | None:
    """A first estimate of the error in mm of a pose, without its flips; None where it is unknown."""
    if pair.overlap(transform.matrix) < LEAST_OVERLAP:
        return None
    found = fit_blocks(block_matching_of(pair), transform.matrix, pair.points, rounds=1)
    return None if found is None else found.error_mm


def _has_doubtful_shape(pair: Pair, pose: np.ndarray) -> bool:
    """Whether a pose stretches more than is plausible, and the blocks do not support it."""
    return abs(np.log(Stretch.of(pose[:3, :3]).factors[0])) > PLAUSIBLE and not is_supported(pair, pose)


def _swapped_flip_ratio(pair: Pair, pose: np.ndarray) -> float:
    """The flip ratio of the moving scan's blocks, which do not depend on what the fixed scan alone shows.

    On tuning pairs with a synthetic couch right poses have ratios of 1.25 to 1.87 and, swapped, of 1.88 to 1.93; wrong
    ones, of half scans too, 1.2 at most either way.
    """
    matching, inverse = block_matching_of(pair.swapped), np.linalg.inv(pose)
    blocks = matching.about(inverse)
    if len(blocks.centers) < FEWEST_BLOCKS:
        return 0.0
    center = apply(inverse, pair.swapped.points).mean(0)
    flips = [np.linalg.inv(flip) for flip in flipped_poses(pose, center, pair.fixed.grid.axes)]
    return flip_ratio(matching, common_motion(blocks).consensus, flips)[0]
