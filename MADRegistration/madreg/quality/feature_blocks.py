"""Blocks of the fixed scan about a pose, compared by learned features.

The scores of :mod:`madreg.quality.block_matching` compare edges, whatever they belong to.  Features
(:mod:`madreg.network.features`) are alike at the same anatomy and unlike elsewhere, so that a block prefers its place
more clearly: of right poses the blocks show a third to a half of the local displacements that blocks of edges show.
The moving scan is encoded as it is seen from the pose, on the fixed lattice, so features are compared on one lattice.
Where a scan has no data it is taken to go on as it ends: features would see an edge there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from ..image.extension import extended
from ..image.geometry import Grid, mean_displacement
from ..image.morphology import dilate
from ..image.pair import Pair
from ..image.sampling import sample_lattice
from ..image.volume import Volume
from ..measures.network_input import input_lattice, network_input
from ..network import weights
from ..network.features import FeatureNetwork
from .block_fit import BlockFit, block_matching_of
from .block_matching import BlockMatching
from .blocks import SPACING, Blocks
from .correlation import FixedBlocks
from .motion import common_motion
from .seen import Seen

REACH_MM = 12.0  # of the displacements, to either side along each axis
LEVEL = 1  # of the features: one voxel in SPACING mm
CHANNELS = 12
"""Of the features, so many principal components are compared: local displacements of right and of deformed pairs are
the same to 0.2 mm with all 32."""

MOST_CUT = 4.0
"""Faces of a cube as large as the foreground that may be cut off: the ends of a warped slab come to 3, a mask within
the body to 5 or 6."""
MOST_VOXELS = 2_000_000
"""Of the lattice of the blocks; a head has 0.2 million."""


class FeatureBlocks:
    """The same blocks as those of a block matching, compared by features.

    Args:
        fixed, moving: the pair.
        matching: of the pair, for its lattice and blocks.
        network: of the features.
    """

    def __init__(self, fixed: Volume, moving: Volume, matching: BlockMatching, network: FeatureNetwork) -> None:
        self.network, self.matching, self.reach = network, matching, round(REACH_MM / SPACING)
        fixed, self.moving = (volume.resampled(network.settings.spacing) for volume in (fixed, moving))
        self.extended = extended(self.moving)
        self.wide = matching.lattice.widened(self.reach)
        rows, inside = self._encoded(extended(fixed), np.eye(4), matching.lattice), matching.inside[0].flatten()
        rows = (rows - _mean(rows, inside)) * inside[:, None]
        self.projection = torch.linalg.eigh((rows.T @ rows).cpu())[1][:, -CHANNELS:].to(rows.device)
        channels = _channels(rows @ self.projection, matching.lattice)
        self.blocks = FixedBlocks(channels, matching.half, self.reach, matching.stride)

    def about(self, pose: np.ndarray, like: Blocks) -> Blocks:
        """Some blocks about a pose.

        Args:
            pose: 4x4, fixed LPS to moving LPS.
            like: blocks of edges: which to compare, and how much each counts.
        """
        seen = Seen.at(pose, self.moving, self.wide, self.reach)
        common = F.pad(self.matching.inside[0] * seen.there_at_blocks, [self.reach] * 6)
        # the features of air are unit vectors too: those of a couch would prefer some place in the body
        foreground = self.moving.foreground.float()[None]
        tissue = sample_lattice(foreground, self.moving.grid, pose, self.wide, "zeros")[0]
        rows = self._encoded(self.extended, pose, self.wide)
        rows = rows @ self.projection - _mean(rows, common.flatten()) @ self.projection
        channels = _channels(rows, self.wide) * (seen.there * tissue)
        scores = self.blocks.scores(channels, seen.weight, like.chosen, keep=False)
        return replace(like, reach=self.reach, scores=scores, by_features=True)

    @torch.no_grad()
    def _encoded(self, volume: Volume, pose: np.ndarray, lattice: Grid) -> torch.Tensor:
        """Features (N, C) of a volume as it is seen from a pose, at the N points of a lattice of :data:`SPACING` mm."""
        image = network_input(volume, input_lattice(lattice, LEVEL, self.network.multiple), pose)
        k, j, i = lattice.shape
        return self.network.level(image, LEVEL)[0, :, :k, :j, :i].permute(1, 2, 3, 0).flatten(0, 2)


def _mean(rows: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Weighted mean (C,) of features (N, C).  Without it, those of any two places are as often unlike as alike."""
    return weight @ rows / weight.sum().clamp(min=1e-3)


def _channels(rows: torch.Tensor, lattice: Grid) -> torch.Tensor:
    """Channels (C, k, j, i) of features (N, C) at the points of a lattice."""
    return rows.T.contiguous().unflatten(1, lattice.shape)


def feature_blocks(pair: Pair, pose: np.ndarray, like: Blocks) -> Blocks:
    """Blocks about a pose (4, 4), compared by features.

    Args:
        like: blocks of edges of the pair, which are to be compared.

    Raises:
        InputError: if the bundled weights are damaged.
    """

    def make() -> FeatureBlocks:
        network = weights.load_features(device=pair.fixed.device)[0]
        return FeatureBlocks(pair.fixed, pair.moving, block_matching_of(pair), network)

    return pair.once("feature blocks", make).about(pose, like)


def _is_cut_out(volume: Volume) -> bool:
    """Whether what has no data lies within the foreground on most sides."""
    end = volume.mask & dilate(~volume.mask, [1, 1, 1])
    return float((end & volume.foreground).sum()) > MOST_CUT * float(volume.foreground.sum()) ** (2 / 3)


def settled_by_features(pair: Pair, found: BlockFit) -> BlockFit:
    """Where blocks of edges lead, and on from there where those of features lead.

    They stay where they are where a mask lies within the body, as features hardly agree on the place of a part without
    its surroundings; and of two whole bodies, of which features would take several GB.
    """
    if np.prod(block_matching_of(pair).lattice.size) > MOST_VOXELS or any(map(_is_cut_out, pair.level(SPACING))):
        return found
    blocks = feature_blocks(pair, found.preferred, found.blocks)
    motion = common_motion(blocks, "affine")
    preferred = found.preferred @ motion.matrix
    error_mm = mean_displacement(found.pose, preferred, pair.points)
    return replace(
        found, preferred=preferred, error_mm=error_mm, blocks=blocks, motion=motion, blocks_at=found.preferred
    )
