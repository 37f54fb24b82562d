"""The whole assessment of a pose: its error, whether another pose fits as well, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..image.fitting import restricted
from ..image.geometry import mean_displacement
from ..image.pair import Pair
from ..image.transform import Transform
from ..system.parallel import with_ahead
from .alternatives import Comparison, compare, compare_with_search, joint_margin
from .block_fit import BlockFit, at_pose, block_matching_of, fit_blocks
from .cut_out import leaves_empty, without_outline
from .deformation import deformation_mm
from .feature_blocks import settled_by_features
from .fine_features import is_recognized
from .quality import Quality
from .shape import CLEAR, Stretch, cut_out_at, is_gained, is_merely_off, is_supported, is_worth_it, nearest_rigid
from .verdict import ALIGNED_MM, CLEAR_MARGIN, FAILED_MM, are_outvoted, least_margin

PLAUSIBLE = 0.14  # logarithm of a stretch along one axis: 15 %
# Right poses of 33 tuning pairs are better than their mirror images by 0.04 and more, but for two boxes of 42 by 76 mm
# out of a head, whose mirror images are better by 0.01 and 0.04.
MIRRORED = 0.02  # within this of 0, neither the pose nor a mirror image is better
# Over flips alone, below which a search looks for poses that fit better: repeated vertebrae had 0.17 over their flips
# where both scans showed four of six, and 0.09 over what a search found.
DOUBTFUL_MARGIN = 2 * CLEAR_MARGIN
NO_OVERLAP = 0.01  # of the fixed foreground; less is no overlap at all


def assess(
    pair: Pair,
    transform: Transform,
    kind: str = "rigid",
    others: Sequence[Transform] = (),
    comparison: Comparison | None = None,
    has_outline: bool = True,
    is_last: bool = False,
) -> Quality | None:
    """How good a pose is; None where the volumes do not overlap.

    Args:
        kind: of the transform that was looked for: ``rigid``, ``similarity`` or ``affine``; the verdict does not
            depend on it, but on the pose.
        others: that were found as well, the likeliest first; those far from the pose are compared with it.  Without
            them, a pose that is neither aligned nor failed by its blocks and its flips is looked for by a search, and
            fails where that finds one that fits as well.
        comparison: of the pose with other poses, if it is known.
        has_outline: whether the outline of what a volume shows counts in the comparison with other poses
            (:mod:`madreg.quality.cut_out`); the error is that of the whole volumes, however the pose was found.
        is_last: whether what is said is given to the user: a pose that fails is then compared with a search, too, as
            how far it is off depends on whether another one fits as well.
    """
    pose, whole = transform.matrix, pair
    cut_out = cut_out_at(whole, pose)
    pair = without_outline(whole) if cut_out == "moving" else whole
    compared = pair if has_outline else without_outline(pair)
    overlap = pair.overlap(pose)
    if overlap < NO_OVERLAP:
        return None
    found = _clearest_fit([pair] if pair is whole else [pair, whole], pose, may_stretch=cut_out is None)

    def settled() -> BlockFit | None:
        return _settled(pair, found) if found is not None and cut_out is None else found

    def with_other_poses() -> Comparison:  # uses the blocks about the pose
        return comparison or compare(compared, pose, [one.matrix for one in others])

    with_others, settled_fit = with_ahead(with_other_poses, settled, pair.fixed.device)
    seen = _Seen(pair, compared, transform, kind, overlap, cut_out is not None, found, settled_fit)
    quality = seen.compared_with(with_others)
    if others or comparison is not None or not (_is_in_doubt(quality) or (is_last and quality.verdict == "failed")):
        return quality
    searched = compare_with_search(compared, pose)
    return seen.compared_with(searched) if searched.margin < CLEAR_MARGIN else quality


class _SecondOpinion(NamedTuple):
    """What else speaks for a pose whose margin leaves a doubt: as in :mod:`madreg.quality.observations`."""

    joint_margin: float | None = None
    is_recognized: bool = False


@dataclass(frozen=True)
class _Seen:
    """A pose and the blocks about it.

    Attributes:
        pair: whose blocks are compared.
        compared: the pair that is compared with other poses.
        kind: of the transform that was looked for.
        overlap: of the fixed foreground.
        is_cut_out: whether one volume was cut out of the other one.
        found: what the blocks say; None where too few show anything.
        settled: returns what is said where the pose is clearly the right one or near it (:func:`_settled`).
    """

    pair: Pair
    compared: Pair
    transform: Transform
    kind: str
    overlap: float
    is_cut_out: bool
    found: BlockFit | None
    settled: Callable[[], BlockFit | None]

    def compared_with(self, with_others: Comparison) -> Quality:
        """How good the pose is, given its comparison with other ones."""
        transform, pose, pair, edges = self.transform, self.transform.matrix, self.pair, self.found
        other = None if with_others.other is None else Transform(with_others.other)
        is_clear = with_others.margin >= least_margin(self.overlap)
        opinion = _SecondOpinion() if is_clear else self._second_opinion(with_others)
        if edges is None:
            return Quality(
                transform,
                motion_mm=None,
                consensus=0.0,
                margin=min(with_others.margin, 0.0),
                preferred=transform,
                overlap=self.overlap,
                other=other,
            )
        found, edges = self._in_the_end(edges, is_clear, opinion)
        stretch = Stretch.of((np.linalg.inv(pose) @ edges.preferred)[:3, :3])
        is_stretched = edges.is_stretched and stretch.is_clear and not is_merely_off(pair, pose, edges.preferred)
        preferred = np.linalg.inv(pose) @ found.preferred
        return Quality(
            transform,
            motion_mm=found.error_mm,
            consensus=edges.motion.consensus,
            margin=with_others.margin,
            preferred=Transform(pose @ restricted(preferred, pair.points, self.kind)),
            overlap=self.overlap,
            other=other,
            joint_margin=opinion.joint_margin,
            is_recognized=opinion.is_recognized,
            deformation_mm=deformation_mm(found.blocks, found.motion),
            shape_mm=mean_displacement(
                pose @ restricted(preferred, pair.points, "rigid"), found.preferred, pair.points
            ),
            blocks=found.blocks,
            motion=found.motion,
            blocks_at=Transform(found.blocks_at),
            stretch=stretch if is_stretched else None,
            stretch_is_gained=not is_stretched or is_gained(pair, pose, edges.preferred),
            has_doubtful_shape=_has_doubtful_shape(pair, pose, CLEAR if self.is_cut_out else PLAUSIBLE),
            is_mirrored=with_others.mirror_margin > MIRRORED,
            # No body is quite symmetric, and each in its own way: a scan of another one fits a mirror image as well.
            may_be_other_body=abs(with_others.mirror_margin) <= MIRRORED,
            moving_overlap=pair.swapped.overlap(np.linalg.inv(pose)),
        )

    def _second_opinion(self, with_others: Comparison) -> _SecondOpinion:
        """What NMI and NGF together say, and MAD's finest features."""
        if with_others.other is None:
            return _SecondOpinion()
        pose = self.transform.matrix
        margin = joint_margin(self.compared, pose, with_others.other, self.transform.type)
        may_be_known = self.found is not None and not self.is_cut_out
        return _SecondOpinion(
            margin, may_be_known and is_recognized(self.compared, pose, with_others.others, FAILED_MM)
        )

    def _in_the_end(self, edges: BlockFit, is_clear: bool, opinion: _SecondOpinion) -> tuple[BlockFit, BlockFit]:
        """What blocks say in the end, of features where the pose is clearly the right one or near it; and what blocks
        of edges say, which consensus and stretch are taken from."""
        if opinion.is_recognized:
            return settled_by_features(self.pair, at_pose(block_matching_of(self.pair), edges)), edges
        if is_clear or are_outvoted(opinion.joint_margin, edges.motion.consensus):
            found = self.settled() or edges
            return found, edges if found.blocks.by_features else found
        return edges, edges


def _is_in_doubt(quality: Quality) -> bool:
    """Whether a pose that does not fail is off by more than an aligned one, or not far better than its flips."""
    if quality.verdict == "failed" or quality.error_mm is None:
        return False
    return quality.error_mm > ALIGNED_MM or quality.margin < DOUBTFUL_MARGIN


def _clearest_fit(pairs: Sequence[Pair], pose: np.ndarray, may_stretch: bool) -> BlockFit | None:
    """The blocks about a pose (4, 4) that agree best of those of some pairs; None where too few show anything.

    Of a brain in a CT, whose inside is nearly uniform, those with its outline agree better, and of one in an MR those
    without.
    """
    fits = [fit_blocks(block_matching_of(pair), pose, pair.points, may_stretch=may_stretch) for pair in pairs]
    return max((fit for fit in fits if fit is not None), key=lambda fit: fit.motion.consensus, default=None)


def _settled(pair: Pair, found: BlockFit) -> BlockFit:
    """What features of the blocks about the pose of a fit say, or blocks without outlines.

    The latter where a volume is empty in a good part of its field of view, the blocks with its outline lead far, and
    those without agree better: the ends of a cone, as of an ultrasound scan, lead to the ends of the body.

    Args:
        found: what blocks of edges say.
    """
    if found.error_mm > FAILED_MM and leaves_empty(pair):
        inside = fit_blocks(block_matching_of(without_outline(pair)), found.pose, pair.points)
        if inside is not None and inside.motion.consensus > found.motion.consensus:
            return inside
    return settled_by_features(pair, found)


def rough_error_mm(pair: Pair, transform: Transform) -> float | None:
    """The error of a pose as one round of block matching has it, without other poses; None where it is unknown."""
    if pair.overlap(transform.matrix) < NO_OVERLAP:
        return None
    found = fit_blocks(block_matching_of(pair), transform.matrix, pair.points, rounds=1)
    return None if found is None else found.error_mm


def _has_doubtful_shape(pair: Pair, pose: np.ndarray, plausible: float) -> bool:
    """Whether a pose stretches more than is plausible (a logarithm), and that is neither supported nor worth it."""
    if abs(np.log(Stretch.of(pose[:3, :3]).factors[0])) <= plausible or is_supported(pair, pose):
        return False
    return not is_worth_it(pair, pose, nearest_rigid(pair, pose))
