"""Blocks of the fixed scan about a pose, compared by learned features.

The scores of :mod:`madreg.quality.block_matching` compare edges, whatever they belong to.  Features
(:mod:`madreg.network.features`) are alike at the same anatomy and unlike elsewhere, so that a block prefers its place
more clearly: of right poses the blocks show a third to a half of the local displacements that blocks of edges show.
The moving scan is encoded as it is seen from the pose, on the fixed lattice, so features are compared on one lattice.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..image.geometry import Grid, mean_displacement
from ..image.gradients import gradient_mask
from ..image.morphology import dilate
from ..image.pair import Pair
from ..image.points import map_points
from ..image.sampling import sample_array
from ..image.smoothing import smooth
from ..image.volume import Volume
from ..network import weights
from ..network.features import FeatureNetwork
from .block_fit import BlockFit, block_matching_of
from .block_matching import BlockMatching
from .blocks import SPACING, Blocks
from .correlation import FixedBlocks
from .motion import common_motion

REACH_MM = 12.0  # of the displacements, to either side along each axis
LEVEL = 1  # of the features: one voxel in SPACING mm
CHANNELS = 12
"""Of the features, so many principal components are compared: local displacements of right and of deformed pairs are
the same to 0.2 mm with all 32."""

MOST_CUT = 0.2
"""Of the face of a cube as large as the foreground, so much may be cut off by a mask; a mask within the body has 5."""
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
        self.wide = matching.lattice.widened(self.reach)
        channels = _centered(self._encoded(fixed, np.eye(4), matching.lattice), matching.inside[0])
        scatter = channels.flatten(1) @ channels.flatten(1).T
        self.projection = torch.linalg.eigh(scatter.cpu())[1][:, -CHANNELS:].T.to(channels.device)
        self.blocks = FixedBlocks(self._projected(channels), matching.half, self.reach, matching.stride)

    def about(self, pose: np.ndarray, like: Blocks) -> Blocks:
        """Some blocks about a pose.

        Args:
            pose: 4x4, fixed LPS to moving LPS.
            like: blocks of edges: which to compare, and how much each counts.
        """
        where = self.wide.points(self.moving.device)
        moved = map_points(torch.tensor(pose)[None], where.reshape(-1, 3))[0].reshape(where.shape)
        there = self.moving.sample(moved)[1] > 0.5
        core = slice(self.reach, -self.reach)
        common = torch.zeros_like(moved[..., 0])
        common[core, core, core] = self.matching.inside[0] * there[core, core, core]
        # the features of air are unit vectors too: those of a couch would prefer some place in the body
        inverse = torch.as_tensor(self.moving.grid.inverse, dtype=torch.float32, device=moved.device)
        tissue = sample_array(self.moving.foreground.float()[None], inverse, moved, "zeros")[0]
        channels = self._projected(_centered(self._encoded(self.moving, pose, self.wide), common, there * tissue))
        seen = smooth(gradient_mask(there), [0.7] * 3)
        scores = self.blocks.scores(channels, seen, like.chosen, keep=False)
        return replace(like, reach=self.reach, scores=scores, by_features=True)

    @torch.no_grad()
    def _encoded(self, volume: Volume, pose: np.ndarray, lattice: Grid) -> torch.Tensor:
        """Features (C, k, j, i) of a volume as it is seen from a pose, on a lattice of :data:`SPACING` mm."""
        multiple, half = self.network.multiple, 2**LEVEL
        size = [-(-half * count // multiple) * multiple for count in lattice.size]
        matrix = lattice.matrix.copy()
        matrix[:3, :3] /= half
        # voxel n of the level lies between the input voxels that make it
        matrix[:3, 3] -= matrix[:3, :3] @ np.full(3, (half - 1) / 2)
        points = Grid((size[0], size[1], size[2]), matrix).points(volume.device)
        moved = map_points(torch.tensor(pose)[None], points.reshape(-1, 3))[0].reshape(points.shape)
        inverse = torch.as_tensor(volume.grid.inverse, dtype=torch.float32, device=volume.device)
        image = sample_array(volume.data[None], inverse, moved)[None]  # beyond the field of view its end is repeated
        k, j, i = lattice.shape
        return self.network.level(image, LEVEL)[0, :, :k, :j, :i]

    def _projected(self, channels: torch.Tensor) -> torch.Tensor:
        return torch.einsum("dc,ckji->dkji", self.projection, channels)


def _centered(channels: torch.Tensor, where: torch.Tensor, shown: torch.Tensor | None = None) -> torch.Tensor:
    """Channels (C, k, j, i) less their mean over ``where`` (k, j, i), and 0 beyond ``shown``.

    Without their mean, the features of any two places are as often unlike as alike.
    """
    mean = (channels * where).sum((1, 2, 3)) / where.sum().clamp(min=1e-3)
    return (channels - mean[:, None, None, None]) * (where if shown is None else shown)


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


def _is_cut(volume: Volume) -> bool:
    """Whether what has no data ends in the foreground, and not in the air around it."""
    end = volume.mask & dilate(~volume.mask, [1, 1, 1])
    return float((end & volume.foreground).sum()) > MOST_CUT * float(volume.foreground.sum()) ** (2 / 3)


def settled_by_features(pair: Pair, found: BlockFit) -> BlockFit:
    """Where blocks of edges lead, and on from there where those of features lead.

    It is left where it is where a mask, or voxels without data, cut through the body: features see an edge there, which
    those of edges leave out.  So it is of two whole bodies: features of all voxels would take several GB.
    """
    if np.prod(block_matching_of(pair).lattice.size) > MOST_VOXELS or any(map(_is_cut, pair.level(SPACING))):
        return found
    blocks = feature_blocks(pair, found.preferred, found.blocks)
    motion = common_motion(blocks, "affine")
    preferred = found.preferred @ motion.matrix
    error_mm = mean_displacement(found.pose, preferred, pair.points)
    return replace(
        found, preferred=preferred, error_mm=error_mm, blocks=blocks, motion=motion, blocks_at=found.preferred
    )
