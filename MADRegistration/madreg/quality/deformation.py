"""How much the shapes of two scans differ by what no affine motion explains.

Local displacements of blocks are uncertain, the more the less a block shows, so their spread alone says little.  Two
halves of the blocks, whose contents hardly overlap, are asked independently: what both say at the same place is there,
and what only one of them says is chance.
"""

from __future__ import annotations

import numpy as np

from .blocks import Blocks
from .motion import Motion, neighbourhood, preferred_about


def deformation_mm(blocks: Blocks, motion: Motion) -> float:
    """Root mean square displacement, mm, of the blocks about a motion, as far as two halves of them agree on it."""
    _, nj, ni = blocks.grid.shape
    place = blocks.chosen
    odd = (place // (nj * ni) + place // ni % nj + place % ni) % 2 == 1
    share = neighbourhood(blocks)
    halves = []
    for some in (odd, ~odd):
        part = share * some
        total = part.sum(1, keepdim=True)
        if not bool((total > 0).all()):
            return 0.0
        halves.append(preferred_about(blocks, motion, part / total))
    common = (halves[0] * halves[1]).sum(1)
    return float(np.sqrt(max(float(blocks.weight @ common), 0.0)))
