"""Which of several transforms is the most plausible."""

from __future__ import annotations

import numpy as np

from ..descent.refinement import LEAST_OVERLAP, MEDIUM
from ..image.pair import Pair
from ..image.transform import Transform
from ..quality.block_fit import FEWEST_BLOCKS, block_matching_of
from ..quality.motion import common_motion

STEPS = 25  # of the blocks' motion


def most_plausible_first(pair: Pair, transforms: list[Transform]) -> list[Transform]:
    """Transforms in the order of NMI and NGF together and of the consensus of their blocks.

    Either errs alone: where two scans hardly depend on each other, as T2w and DCE of a pelvis, NMI of few samples is
    higher at wrong poses, and blocks agree by chance in slabs.  Both are shares of about the same size.  Transforms at
    which the scans hardly overlap come last.
    """
    if len(transforms) < 2:
        return transforms
    values = MEDIUM.objective(pair).values(np.stack([transform.matrix for transform in transforms]))
    evidence = [_consensus(pair, transform.matrix) - value for transform, value in zip(transforms, values, strict=True)]
    apart = [pair.greater_overlap(transform.matrix) < LEAST_OVERLAP for transform in transforms]
    return [transforms[index] for index in sorted(range(len(transforms)), key=lambda n: (apart[n], -evidence[n]))]


def _consensus(pair: Pair, pose: np.ndarray) -> float:
    """Of a third of the blocks about a pose (4, 4); 0 where too few show anything."""
    blocks = block_matching_of(pair).about(pose, few=True)
    return 0.0 if len(blocks.centers) < FEWEST_BLOCKS else common_motion(blocks, "rigid", STEPS).consensus
