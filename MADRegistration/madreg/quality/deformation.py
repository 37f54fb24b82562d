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
