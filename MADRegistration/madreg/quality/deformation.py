"""How much the shapes of two scans differ by what no affine motion explains.

Local displacements of blocks are uncertain, the more the less a block shows, so their spread alone says little.  Two
halves of the blocks, whose contents hardly overlap, are asked independently: what both say at the same place is there,
and what only one of them says is chance.
"""

from __future__ import annotations

import numpy as np

from ..system.parallel import parallel_map
from .blocks import Blocks
from .motion import Motion, neighbourhood, preferred_about
from .thinning import every_nth

# What blocks show at right poses as well, mm, and by what the rest is multiplied, of blocks compared by edges and by
# features.  By edges they show about half of a deformation, and 0.4 to 1.8 mm at right poses of pairs of known
# alignment; by features about a third, and 0.2 to 1 mm.  Of features both numbers are about those at which the
# estimated error of 38 poses of the study "bounds" is nearest to the true one, rounded; its other poses check them.
SEEN_ANYWAY_MM = {False: 1.0, True: 0.6}
FACTOR = {False: 2.0, True: 3.0}


def error_by_deformation(deformation_mm: float, by_features: bool = True) -> float:
    """The mean error in mm that no affine motion can correct, from what blocks show of it (:func:`deformation_mm`).

    Args:
        by_features: whether the blocks were compared by features.
    """
    return FACTOR[by_features] * max(deformation_mm - SEEN_ANYWAY_MM[by_features], 0.0)


def deformation_mm(blocks: Blocks, motion: Motion) -> float:
    """Root mean square displacement, mm, of the blocks about a motion, as far as two halves of them agree on it."""
    odd = ~every_nth(blocks.chosen, blocks.grid.shape, 2)
    share = neighbourhood(blocks)
    parts = [share * some for some in (odd, ~odd)]
    if not all(bool((part.sum(1) > 0).all()) for part in parts):
        return 0.0
    first, second = parallel_map(
        lambda part: preferred_about(blocks, motion, part / part.sum(1, keepdim=True)), parts, share.device
    )
    common = (first * second).sum(1)
    return float(np.sqrt(max(float(blocks.weight @ common), 0.0)))
