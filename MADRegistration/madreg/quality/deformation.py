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

# Blocks show about half of a deformation.  At right poses of pairs of known alignment they show 0.4 to 0.8 mm of
# similar contrasts, and 1.1 to 1.8 mm of real T1-T2 pairs and of simulated CT and T1.  A factor of 3 brings the
# estimates of deformed pairs nearer to the truth, but those of right poses further from it: beyond what is "aligned".
SEEN_ANYWAY_MM, FACTOR = 1.0, 2.0


def error_by_deformation(deformation_mm: float) -> float:
    """The mean error in mm that no affine motion can correct, from what blocks show of it (:func:`deformation_mm`)."""
    return FACTOR * max(deformation_mm - SEEN_ANYWAY_MM, 0.0)


def deformation_mm(blocks: Blocks, motion: Motion) -> float:
    """Root mean square displacement, mm, of the blocks about a motion, as far as two halves of them agree on it."""
    _, nj, ni = blocks.grid.shape
    place = blocks.chosen
    odd = (place // (nj * ni) + place // ni % nj + place % ni) % 2 == 1
    share = neighbourhood(blocks)
    parts = [share * some for some in (odd, ~odd)]
    if not all(bool((part.sum(1) > 0).all()) for part in parts):
        return 0.0
    first, second = parallel_map(
        lambda part: preferred_about(blocks, motion, part / part.sum(1, keepdim=True)), parts, share.device
    )
    common = (first * second).sum(1)
    return float(np.sqrt(max(float(blocks.weight @ common), 0.0)))
