"""A pose compared with others at which the scans might fit as well.

Consensus of blocks and NMI are not comparable between pairs of scans: how high they get depends on the contrasts.  What
the same two scans reach at other poses is the measure for them: at 180-degree flips, under which many bodies are nearly
symmetric, and at the other candidates of the search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ..descent.refinement import CANDIDATES, MEDIUM
from ..image.fitting import restricted
from ..image.geometry import apply, mean_displacement
from ..image.pair import Pair
from ..pose.correlation import Candidate
from ..pose.search import search
from ..system.parallel import parallel_map
from .block_fit import FEWEST_BLOCKS, block_matching_of, shared_consensus
from .flips import flipped_poses, mirrored_poses
from .motion import common_motion
from .screening import promising
from .shape import Stretch

STEPS = 25  # of the descent to the blocks' motion
ANOTHER_MM = 20.0  # apart, two poses are not the same
# Blocks score beyond their reach as at its end, each at a displacement of its own: of flips of thin slabs, whose blocks
# move by 23 mm, consensus was 0.71 and 0.51 once they were followed.  Not so for thicker scans: blocks of a right pose
# may lead too far to settle at once, and flips of a head on a couch passed for right when they were followed.
FOLLOWED_MM = 8.0
OTHERS = 4  # candidates that are compared
OBLIQUE = 12.0  # degrees off, from which flips about another axis are not within the reach of the blocks
TOWARDS = 0.8  # of the distance to the pose; a candidate whose blocks lead closer than that leads to the pose


@dataclass(frozen=True)
class Evidence:
    """What speaks for a pose.

    Attributes:
        pose: (4, 4), fixed LPS to moving LPS.
        preferred: (4, 4) where its blocks prefer it.
        value: their consensus, for slabs about the pose that they prefer if it is far, times the square root of the
            share of either scan that lies in the other, plus NMI and NGF at the better of both poses, less what the
            distortion of the pose costs.  Consensus of few blocks is easily high, and of a small scan that may be
            distorted at will, at many wrong poses.
    """

    pose: np.ndarray
    preferred: np.ndarray
    value: float


@dataclass(frozen=True)
class Comparison:
    """A pose and the best of the others.

    Attributes:
        margin: by how much the evidence for the pose exceeds that for the best other one; negative where that is the
            better pose.
        other: (4, 4) that other pose; None if none shows anything.
        mirror_margin: by how much the evidence for a mirror image of the fixed scan exceeds that for the pose.
        others: (4, 4) each: all flips, and the other candidates that were compared.
    """

    margin: float
    other: np.ndarray | None
    mirror_margin: float
    others: Sequence[np.ndarray] = ()


def are_apart(pair: Pair, first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two poses (4, 4) are so far from each other that they are not the same."""
    return mean_displacement(first, second, pair.points) > ANOTHER_MM


def best_apart(pair: Pair, found: Sequence[Candidate], count: int) -> list[Candidate]:
    """The first candidates, best first, without any that is the same as a better one.

    Args:
        count: how many to return at most.
    """
    kept: list[Candidate] = []
    for one in found:
        if len(kept) < count and all(are_apart(pair, one.matrix, other.matrix) for other in kept):
            kept.append(one)
    return kept


def evidence(pair: Pair, pose: np.ndarray) -> Evidence | None:
    """What speaks for a pose (4, 4), found once a pair; None where too few blocks show anything."""
    return pair.once(("evidence", pose.tobytes()), lambda: _evidence(pair, pose))


def _evidence(pair: Pair, pose: np.ndarray) -> Evidence | None:
    found = _said_by_blocks(pair, pose)
    if found is None:
        return None
    consensus, preferred = found
    if pair.is_slab and mean_displacement(pose, preferred, pair.points) > FOLLOWED_MM:
        consensus, _ = _said_by_blocks(pair, preferred) or (0.0, preferred)
    agreement = -float(MEDIUM.objective(pair).values(np.stack([pose, preferred])).min())
    return Evidence(pose, preferred, consensus + agreement - Stretch.of(pose[:3, :3]).distortion_cost)


def _said_by_blocks(pair: Pair, pose: np.ndarray) -> tuple[float, np.ndarray] | None:
    """The consensus of the blocks about a pose (4, 4), times the square root of the share of either scan that lies in
    the other, and the pose (4, 4) that they prefer; None where too few show anything."""
    blocks = block_matching_of(pair).about(pose, few=True)
    if len(blocks.centers) < FEWEST_BLOCKS:
        return None
    motion = common_motion(blocks, "rigid", STEPS)
    preferred = pose @ restricted(motion.matrix, blocks.centers.cpu().double().numpy(), "rigid")
    return shared_consensus(pair, motion, pose), preferred


def compare(pair: Pair, pose: np.ndarray, others: Sequence[np.ndarray] = ()) -> Comparison:
    """A pose (4, 4) compared with its 180-degree flips, its mirror images and other candidates (4, 4).

    Args:
        others: the likeliest first; those near the pose, or whose blocks lead to it, are left out.
    """
    points = _points(pair, pose)
    center, axes = points.mean(0), _axes(pair, points)
    apart = [one for one in others if are_apart(pair, one, pose)][:OTHERS]
    every_flip = flipped_poses(pose, center, axes)
    flips, mirrored = parallel_map(
        lambda made: promising(pair, pose, made),
        [every_flip, mirrored_poses(pose, center, axes)],
        pair.fixed.device,
    )
    poses = [pose, *flips, *mirrored, *apart]
    found = iter(parallel_map(lambda one: evidence(pair, one), poses, pair.fixed.device))
    here = next(found)
    of_flips, of_mirrored, of_apart = (
        [one for one in islice(found, len(group)) if one is not None] for group in (flips, mirrored, apart)
    )
    of_apart = [one for one in of_apart if not _leads_to(pair, one, pose)]
    compared = [*every_flip, *(one.pose for one in of_apart)]
    best = max([*of_flips, *of_apart], key=lambda one: one.value, default=None)
    if here is None:
        return Comparison(-np.inf if best else 0.0, None if best is None else best.preferred, -np.inf, compared)
    mirror_margin = max((one.value for one in of_mirrored), default=-np.inf) - here.value
    if best is None:
        return Comparison(np.inf, None, mirror_margin)
    return Comparison(here.value - best.value, best.preferred, mirror_margin, compared)


def compare_with_search(pair: Pair, pose: np.ndarray) -> Comparison:
    """A pose (4, 4) compared with what a search finds, which takes some seconds, as well."""
    found = pair.once("searched", lambda: [one.matrix for one in search(pair.fixed, pair.moving)])
    return compare(pair, pose, found)


def joint_margin(pair: Pair, pose: np.ndarray, other: np.ndarray, kind: str) -> float:
    """By how much NMI and NGF together are better at a pose (4, 4) than at another one (4, 4), refined with NMI.

    The few blocks of a slab agree at nearly symmetric poses almost as well as at the right one.
    """
    refined, _ = CANDIDATES.objective(pair).descend(other[None], kind, CANDIDATES.schedule)
    here, there = MEDIUM.objective(pair).values(np.stack([pose, refined[0]]))
    return float(there - here)


def _leads_to(pair: Pair, one: Evidence, pose: np.ndarray) -> bool:
    """Whether the blocks about another pose lead to a pose: they then agree for that reason."""
    before, after = (mean_displacement(other, pose, pair.points) for other in (one.pose, one.preferred))
    return after <= TOWARDS * before


def _points(pair: Pair, pose: np.ndarray) -> np.ndarray:
    """(n, 3) LPS mm in the fixed scan: its foreground, or the part of it that the moving scan shows."""
    return apply(np.linalg.inv(pose), pair.swapped.points) if pair.moving_is_part else pair.points


def _axes(pair: Pair, points: np.ndarray) -> np.ndarray:
    """(3, n) unit vectors, LPS, a column each, about which the fixed scan is flipped: the axes of its lattice, and the
    principal axes of points (n, 3) that lie off those.

    An oblique scan shows a body whose symmetries are not along the lattice.
    """
    lattice = pair.fixed.grid.axes
    principal = np.linalg.eigh(np.cov((points - points.mean(0)).T, bias=True))[1]
    is_other = np.abs(lattice.T @ principal).max(0) < np.cos(np.deg2rad(OBLIQUE))
    return np.concatenate([lattice, principal[:, is_other]], 1)
