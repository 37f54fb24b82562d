"""Block matching about a pose: how well each part of the fixed scan fits the moving one, displaced this way or that.

The edges of both scans are compared block by block, at every displacement within reach, by the normalised
cross-correlation of trace-free structure tensors (see :mod:`madreg.pose.search`), which does not depend on contrast.
Every block so has a small volume of scores: see :class:`~madreg.quality.blocks.Blocks`.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from ..image.geometry import Grid, apply
from ..image.gradients import edge_parameter, gradient_mask, world_gradient
from ..image.sampling import sample_array
from ..image.smoothing import smooth
from ..image.tensors import trace_free_tensors
from ..image.volume import Volume
from .blocks import SPACING, Blocks
from .correlation import FixedBlocks, block_means
from .seen import Seen
from .thinning import every_nth

REACH_MM = 16.0  # of the displacements, to either side along each axis
HALF_MM = 12.0  # from the middle of a block to its end
STRIDE_MM = 16.0  # from block to block
MARGIN_MM = 8.0  # around the fixed foreground
MANY = 300  # blocks, of which a third is enough
ENOUGH = 700  # of any number, to compare poses; of a head, a third is 300 to 500
MOST = 3000  # blocks about one pose; a head has 1000 to 1500


class BlockMatching:
    """Block matching of a pair of scans, about any pose.

    Args:
        fixed, moving: the pair.
    """

    def __init__(self, fixed: Volume, moving: Volume) -> None:
        self.reach, self.half, self.stride = (round(mm / SPACING) for mm in (REACH_MM, HALF_MM, STRIDE_MM))
        fixed, self.moving = fixed.resampled(SPACING), moving.resampled(SPACING)
        foreground = apply(fixed.grid.matrix, torch.nonzero(fixed.foreground).cpu().numpy()[:, ::-1]) @ fixed.grid.axes
        low, high = foreground.min(0) - MARGIN_MM, foreground.max(0) + MARGIN_MM
        # along the fixed volume's own axes, so that the result does not depend on how both volumes lie in the world
        self.lattice = Grid.covering(low, high, SPACING, fixed.grid.axes)
        points = self.lattice.points(fixed.device)
        values, mask = fixed.sample(points)
        self.tensors = _tensors(values, mask > 0.5, self.lattice)
        self.inside = sample_array(fixed.foreground.float()[None], fixed.grid.inverse, points, "zeros")
        self.blocks = FixedBlocks(self.tensors, self.half, self.reach, self.stride)
        # a wider lattice, so that what lies just outside can be moved in
        self.wide = self.lattice.widened(self.reach)
        self._latest: tuple[bytes, Blocks] | None = None  # all blocks about a pose, and the pose

    def about(self, pose: np.ndarray, few: bool = False) -> Blocks:
        """The blocks about a pose: all of them, or evenly spread ones where there are more than :data:`MOST`.

        Args:
            pose: 4x4, fixed LPS to moving LPS.
            few: whether to use a part of the blocks, where there are many: on tuning pairs the consensus of a third is
                the same to 0.02.
        """
        key = np.asarray(pose, float).tobytes()
        if few and self._latest is not None and self._latest[0] == key:
            blocks = self._latest[1]
            return blocks.thinned(_divisor(len(blocks.chosen), few))
        seen = Seen.at(pose, self.moving, self.wide, self.reach)
        common = self.inside * seen.there_at_blocks
        shown = self.blocks.energy.sqrt() * block_means(common, self.half, self.stride)[0]
        speaks = shown > 0.1 * shown.max()
        chosen = torch.nonzero(speaks.flatten())[:, 0]
        divisor = _divisor(len(chosen), few)
        chosen = chosen[every_nth(chosen, shown.shape, divisor)]
        scores = self.blocks.scores(_tensors(seen.values, seen.there, self.wide), seen.weight, chosen, few)
        scaled = self.lattice.matrix @ np.diag([self.stride, self.stride, self.stride, 1.0])
        nk, nj, ni = shown.shape
        grid = Grid((ni, nj, nk), scaled)
        weight = shown.flatten()[chosen]
        centers = grid.points(weight.device).reshape(-1, 3)[chosen]
        blocks = Blocks(self.reach, grid, chosen, centers, weight / weight.sum(), scores)
        if divisor == 1:
            self._latest = key, blocks
        return blocks


def _divisor(count: int, few: bool) -> int:
    """The ``n`` for which every n-th of some blocks is compared."""
    if few and count > MANY:
        return max(3, math.ceil(count / ENOUGH))
    return math.ceil(max(count, 1) / MOST)


def _tensors(values: torch.Tensor, mask: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Trace-free structure tensors (5, k, j, i) of the normalised gradient of values (k, j, i) on a lattice."""
    gradient = world_gradient(smooth(values, [0.7] * 3), grid)
    there = gradient_mask(mask)
    outer = trace_free_tensors(gradient, edge_parameter(gradient, there > 0), there)
    return smooth(outer, [0.7] * 3)
