"""Designs of a global pose search, and orders in which its candidates can be tried.

A design takes a fixed and a moving :class:`Volume` and yields at most twelve rigid 4x4 poses, fixed LPS to moving LPS,
the likeliest first.  The shipped ones are :mod:`madreg.pose.search` and, of small scans,
:mod:`madreg.pose.match_search`; the others are what could have been shipped instead, each made with little effort.
Their constants were chosen by what they cost, and tried on pairs that are not reported (simulated from SynthSeg's label
maps 01 and 06; OpenfMRI ds000011).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from madreg.descent.evaluation import evaluate
from madreg.descent.refinement import CANDIDATES, MEDIUM, Refinement
from madreg.image.geometry import Grid, apply
from madreg.image.gradients import world_gradient
from madreg.image.pair import Pair
from madreg.image.sampling import sample_array
from madreg.image.smoothing import smooth
from madreg.image.volume import Volume
from madreg.measures.mad import MAD, mean_prediction
from madreg.measures.predictors import SiamesePredictor
from madreg.network import weights
from madreg.pipeline.feature_search import POINTS
from madreg.pose.correlation import Candidate, Correlation
from madreg.pose.match_search import MatchSearch
from madreg.pose.matches import align
from madreg.pose.rotations import along_axes, cube_group, super_fibonacci
from madreg.pose.search import COUNT, MIN_OVERLAP, distinct, search
from madreg.quality.block_matching import BlockMatching
from madreg.quality.motion import common_motion

SPACING, COARSER = 10.0, 1.7  # mm, of the lattice of the designs with one or two, and times that of the coarser one
LIKELY = 40  # rotations that are tried again on the finer of two
FEATURE_SPACING = 8.0  # mm: every second voxel of MAD's lattice of 4 mm
COMPONENTS = 8  # of the 32 features
# Steps along MAD's matches, and for how many of the best poses: from many starts, and from a search's candidates.
FROM_MANY, FROM_FEW = ((1, 24), (2, 4), (4, 1)), ((1, COUNT), (4, 1))
FOREGROUND_SPACING = 6.0  # mm

Design = Callable[[Volume, Volume, int], list[np.ndarray]]


def _middle_and_axes(volume: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Centre of mass (3,) LPS mm of the foreground, and its principal axes as columns of a rotation (3, 3)."""
    coarse = volume.resampled(FOREGROUND_SPACING)
    points = apply(coarse.grid.matrix, torch.nonzero(coarse.foreground).cpu().numpy()[:, ::-1])
    center = points.mean(0)
    axes = np.linalg.eigh(np.cov((points - center).T))[1]
    return center, axes * [1, 1, np.linalg.det(axes)]


def _pose(rotation: np.ndarray, fixed_center: np.ndarray, moving_center: np.ndarray) -> np.ndarray:
    """4x4 with a rotation (3, 3) that puts one centre (3,) on the other."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = moving_center - rotation @ fixed_center
    return matrix


# --- designs ---------------------------------------------------------------------------------------------------------


def shipped(fixed: Volume, moving: Volume, rotations: int) -> list[np.ndarray]:
    """The shipped search: structure tensors on a coarse lattice, then a descent on them from the best poses."""
    return [one.matrix for one in search(fixed, moving, rotations=super_fibonacci(rotations))]


class EdgeStrength(Correlation):
    """Normalised cross-correlation of the length of the smoothed gradient in place of its structure tensor."""

    def features(self, volume: Volume) -> tuple[torch.Tensor, Grid]:
        fine = volume.resampled(self.spacing / 2)
        strength = world_gradient(smooth(fine.data, [0.7] * 3), fine.grid).norm(dim=0)
        foreground, mask = fine.foreground.float(), fine.mask.float()
        strength = (strength - (strength * foreground).sum() / foreground.sum()) * foreground
        return smooth(torch.stack([strength, mask]), [1.0] * 3), fine.grid

    def upright(self, features: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
        return features  # a length has no direction


def two_levels(kind: type[Correlation], fixed: Volume, moving: Volume, rotations: int) -> list[np.ndarray]:
    """All rotations on a coarse lattice, the most likely ones again on a finer one."""
    coarse, correlation = (kind(fixed, moving, spacing, MIN_OVERLAP) for spacing in (COARSER * SPACING, SPACING))
    first = coarse.best(super_fibonacci(rotations), lambda share: None)
    likely = sorted(first, key=lambda one: -one.score)[:LIKELY]
    found = correlation.best(np.array([one.matrix[:3, :3] for one in likely]), lambda share: None)
    return [one.matrix for one in distinct(found, correlation.fixed_center)[:COUNT]]


def one_level(kind: type[Correlation], fixed: Volume, moving: Volume, rotations: int) -> list[np.ndarray]:
    """A grid of rotations on one lattice of 10 mm, and nothing else."""
    correlation = kind(fixed, moving, SPACING, MIN_OVERLAP)
    found = correlation.best(super_fibonacci(rotations), lambda share: None)
    return [one.matrix for one in distinct(found, correlation.fixed_center)[:COUNT]]


class LearnedFeatures(Correlation):
    """The features of MAD's encoder in place of structure tensors.

    The encoder is not equivariant to rotations, so the moving image is rotated and encoded anew for every one.  The
    first principal components of the fixed foreground's features are kept and brought to unit length.
    """

    def __init__(self, fixed: Volume, moving: Volume, mad: MAD) -> None:
        super().__init__(fixed, moving, FEATURE_SPACING, MIN_OVERLAP)
        if not isinstance(mad.predictor, SiamesePredictor):
            raise ValueError("features need a siamese network")
        self.encoder, self.moving = mad.predictor, moving.resampled(FEATURE_SPACING / 2)
        turn = torch.eye(3, device=self.device)
        encoded, foreground, mask = self._encoded(
            fixed.resampled(FEATURE_SPACING / 2), self.fixed_center, turn, self.lattice.halves[0]
        )
        inside = encoded[:, foreground > 0.5]
        self.mean = inside.mean(1)
        self.components = torch.linalg.eigh(torch.cov(inside))[1][:, -COMPONENTS:]
        self.set_fixed(self._reduced(encoded, foreground, mask))

    def features(self, volume: Volume) -> tuple[torch.Tensor, Grid]:
        """The foreground alone: where it lies and how far it reaches."""
        coarse = volume.resampled(self.spacing)
        return torch.stack([coarse.foreground, coarse.mask]).float(), coarse.grid

    def rotated(self, turn: torch.Tensor) -> torch.Tensor:
        moving = torch.stack(
            [
                self._reduced(*self._encoded(self.moving, self.moving_center, one, self.lattice.halves[1]))
                for one in turn
            ]
        )
        return torch.cat([moving, moving[:, :-1].square().sum(1, keepdim=True)], 1)

    @torch.no_grad()
    def _encoded(
        self, volume: Volume, center: np.ndarray, turn: torch.Tensor, halves: tuple[int, ...]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Features (32, k, j, i), foreground and mask (k, j, i) of a box about a centre of a volume that is rotated."""
        middle = torch.as_tensor(center, dtype=torch.float32, device=self.device)
        points = self.lattice.offsets(tuple(2 * half for half in halves), self.spacing / 2) @ turn.T + middle
        values, mask = volume.sample(points)
        features = self.encoder.encoded(values[None, None])[0][0]
        shown = volume.foreground.float()[None]
        foreground = sample_array(shown, volume.grid.inverse, points[::2, ::2, ::2], "zeros")[0]
        return features, foreground, mask[::2, ::2, ::2]

    def _reduced(self, encoded: torch.Tensor, foreground: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """What is correlated, with the mask (C + 1, n, n, n)."""
        found = torch.einsum("cn,ckji->nkji", self.components, encoded - self.mean[:, None, None, None])
        return torch.cat([F.normalize(found, dim=0) * foreground, mask[None]])


def learned_features(fixed: Volume, moving: Volume, rotations: int) -> list[np.ndarray]:
    """The translations of all rotations by the encoder's features; the candidates then follow MAD's matches."""
    mad = MAD(fixed, moving)
    correlation = LearnedFeatures(fixed, moving, mad)
    found = correlation.best(super_fibonacci(rotations), lambda share: None)
    return _followed(mad, [one.matrix for one in distinct(found, correlation.fixed_center)[:COUNT]], FROM_FEW)


def displacement_head(fixed: Volume, moving: Volume, starts: int) -> list[np.ndarray]:
    """MAD's matches, followed from the rotations of a cube with both foregrounds' centres together."""
    centers = [_middle_and_axes(volume)[0] for volume in (fixed, moving)]
    return _followed(MAD(fixed, moving), [_pose(one, *centers) for one in cube_group()[:starts]], FROM_MANY)


def _followed(mad: MAD, starts: Sequence[np.ndarray], rounds: Sequence[tuple[int, int]]) -> list[np.ndarray]:
    """Where the matches lead from some poses (4x4), the pose of the least predicted distance first.

    Args:
        rounds: of each, how many steps to follow, and from how many of the best poses so far.
    """
    found = [Candidate(start, 0.0) for start in starts]
    for steps, keep in rounds:
        followed = [align(mad, one.matrix, steps) for one in found[:keep]]
        found = [Candidate(pose, -predicted) for pose, predicted in followed] + found[keep:]
        found.sort(key=lambda one: -one.score)
    return [one.matrix for one in distinct(found, mad.points.cpu().double().numpy().mean(0))[:COUNT]]


def matched_features(fixed: Volume, moving: Volume, rotations: int) -> list[np.ndarray]:
    """Where matches of MAD's features of 4 mm meet, of the rotations between the axes of both lattices."""
    turns = along_axes(fixed.grid.axes, moving.grid.axes)[:rotations]
    network = weights.load_features(device=fixed.device)[0]
    found = MatchSearch(fixed, moving, network, POINTS).run(turns, 2 * COUNT)
    return [one.matrix for one in distinct(found, fixed.center_of_mass())[:COUNT]]


def moments(fixed: Volume, moving: Volume, poses: int) -> list[np.ndarray]:
    """The principal axes of both foregrounds on each other, every way round, in the order of NMI."""
    (fixed_center, fixed_axes), (moving_center, moving_axes) = (_middle_and_axes(one) for one in (fixed, moving))
    made = np.array(
        [_pose(moving_axes @ turn @ fixed_axes.T, fixed_center, moving_center) for turn in cube_group()[:poses]]
    )
    order = values(CANDIDATES, fixed, moving, made)
    return list(made[np.argsort(order, kind="stable")][:COUNT])


@dataclass(frozen=True)
class Tried:
    """A design and how many rotations, starts or poses it begins with, in the study and in its quick form."""

    find: Design
    rotations: int
    few: int


SHIPPED = "ngf"
DESIGNS = {
    SHIPPED: Tried(shipped, 400, 200),
    "ngf one level": Tried(partial(one_level, Correlation), 600, 60),
    "learned features": Tried(learned_features, 60, 4),
    "matched features": Tried(matched_features, 24, 24),
    "displacement head": Tried(displacement_head, 24, 2),
    "moments": Tried(moments, 24, 24),
    "intensity": Tried(partial(two_levels, EdgeStrength), 400, 200),
}


# --- orders ----------------------------------------------------------------------------------------------------------


def values(plan: Refinement, fixed: Volume, moving: Volume, poses: np.ndarray) -> np.ndarray:
    """The measure (n,) of a stage of the pipeline, as it is used there, of poses (n, 4, 4); lower is better."""
    pair = fixed.resampled(plan.spacing), moving.resampled(plan.spacing)
    if Pair(fixed, moving).moving_is_part:
        pair, poses = pair[::-1], np.linalg.inv(poses)
    return evaluate(plan.measure(*pair, samples=plan.samples), poses)


def by_nmi(fixed: Volume, moving: Volume, poses: np.ndarray) -> np.ndarray:
    """NMI where the pipeline begins with it."""
    return values(CANDIDATES, fixed, moving, poses)


def by_joint(fixed: Volume, moving: Volume, poses: np.ndarray) -> np.ndarray:
    """NMI and NGF together where the pipeline chooses by them, there after a first refinement."""
    return values(MEDIUM, fixed, moving, poses)


def by_prediction(fixed: Volume, moving: Volume, poses: np.ndarray) -> np.ndarray:
    """The mean distance that MAD predicts."""
    mad = MAD(fixed, moving)
    return np.array([mean_prediction(mad, pose) for pose in poses])


def by_blocks(fixed: Volume, moving: Volume, poses: np.ndarray) -> np.ndarray:
    """How nearly a third of the blocks agree on a motion."""
    matching = BlockMatching(fixed, moving)
    return np.array([-common_motion(matching.about(pose, few=True)).consensus for pose in poses])


ORDERS = {
    "score of the search": lambda fixed, moving, poses: np.arange(len(poses)),
    "NMI, 6 mm": by_nmi,
    "NMI + NGF, 3 mm": by_joint,
    "MAD's mean prediction": by_prediction,
    "consensus of the blocks": by_blocks,
}


def ordered(name: str, fixed: Volume, moving: Volume, poses: Sequence[np.ndarray]) -> tuple[list[int], float]:
    """Indices of poses (4x4) in the order of :data:`ORDERS`, the best first, and the processor seconds it took."""
    start = time.process_time()
    found = ORDERS[name](fixed, moving, np.array(poses).reshape(-1, 4, 4))
    return np.argsort(found, kind="stable").tolist(), round(time.process_time() - start, 2)
