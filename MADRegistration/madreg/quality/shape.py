"""How two scans differ in shape: the stretch between them, and whether blocks support that of a pose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..descent.refinement import FINE, MEDIUM
from ..image.fitting import restricted
from ..image.pair import Pair
from .block_fit import FEWEST_BLOCKS, block_matching_of
from .cut_out import cut_out_of_other, without_outline
from .motion import RADIUS, common_motion

CLEAR = 0.04  # logarithm of a stretch along an axis
ALONE = 0.5  # of the largest stretch, up to which another one is taken for none
PRIOR = 0.0005  # what a mm^2 of stretch at :data:`RADIUS` costs, in consensus
LEAST_GAIN = 0.2  # of consensus, NMI and NGF together, for a stretch by a logarithm of 1
DIRECTIONS = ("left-right", "anterior-posterior", "superior-inferior")


@dataclass(frozen=True)
class Stretch:
    """How much longer the moving scan is than the fixed one.

    Attributes:
        factors: (3,) along the principal axes, the one furthest from 1 first.
        axes: (3, 3) these axes in the fixed scan, a unit vector (LPS) a column.
    """

    factors: np.ndarray
    axes: np.ndarray

    @classmethod
    def of(cls, linear: np.ndarray) -> Stretch:
        """Of a linear map (3, 3) from fixed to moving directions."""
        _, factors, vt = np.linalg.svd(linear)
        order = np.argsort(-np.abs(np.log(factors)))
        return cls(factors[order], vt.T[:, order])

    @property
    def is_clear(self) -> bool:
        """Whether it is more than blocks err by."""
        return bool(abs(np.log(self.factors[0])) > CLEAR)

    @property
    def cost(self) -> float:
        """How much more consensus a pose needs that has it."""
        return _cost(np.log(self.factors))

    @property
    def distortion_cost(self) -> float:
        """The same without a scale that is common to all axes: a child's head differs by one from an adult's."""
        logarithms = np.log(self.factors)
        return _cost(logarithms - logarithms.mean())

    @property
    def least_gain(self) -> float:
        """How much consensus, NMI and NGF together have to gain for it.

        Where there is none they gain 0.001 to 0.003 by stretches of 2 to 3 %; by real ones of 15 to 25 %, 0.05 to 0.3.
        """
        return float(LEAST_GAIN * np.linalg.norm(np.log(self.factors)))

    def sentence(self) -> str:
        """What to say of it."""
        percent = abs(100 * (self.factors[0] - 1))
        if np.abs(np.log(self.factors[1])) < ALONE * np.abs(np.log(self.factors[0])):
            direction = DIRECTIONS[int(np.abs(self.axes[:, 0]).argmax())]
            return (
                f"The scans seem to differ by a stretch of {percent:.0f} % along {direction}: check the voxel "
                "size along it, such as the slice distance, in both headers."
            )
        return (
            f"The scans seem to differ in shape by up to {percent:.0f} % along an axis: check the voxel sizes in the "
            "headers."
        )


def _cost(logarithms: np.ndarray) -> float:
    return float(PRIOR * RADIUS**2 * np.square(logarithms).sum())


def is_supported(pair: Pair, pose: np.ndarray) -> bool:
    """Whether blocks agree so much better at a stretched pose than without its stretch that this is worth it.

    The outline of what was cut out of one scan, such as a brain without its skull, supports no stretch, as it fits the
    inside and the outside of the skull.

    Args:
        pose: (4, 4), fixed LPS to moving LPS.
    """
    rigid = restricted(pose, pair.points, "rigid")
    cut_out = cut_out_of_other(pair, rigid, evenly_bright=True)
    if cut_out is not None:
        pair = without_outline(pair)
    if cut_out == "fixed":  # seen from the whole scan: the edges around it are strong, and draw blocks
        gain = _consensus_gain(pair.swapped, np.linalg.inv(pose), np.linalg.inv(rigid))
    else:
        gain = _consensus_gain(pair, pose, rigid)
    return gain > Stretch.of(pose[:3, :3]).cost


def is_worth_it(pair: Pair, pose: np.ndarray, rigid: np.ndarray) -> bool:
    """Whether blocks, NMI and NGF together agree so much better at a stretched pose than at a rigid one.

    Both are refined, so NMI and NGF are at their best for either.  Where the blocks are few, as those that two crossed
    slabs have in common, a stretch cannot be seen from them alone.

    Args:
        pose: (4, 4), fixed LPS to moving LPS.
        rigid: (4, 4), the same without stretch.
    """
    if any(cut_out_of_other(pair, one, evenly_bright=True) for one in (rigid, pose)):
        return is_worth_it_inside(pair, pose, rigid)
    gain = _consensus_gain(pair, pose, rigid) + _joint_gain(pair, pose, rigid)
    return gain > Stretch.of(pose[:3, :3]).least_gain


def is_worth_it_inside(pair: Pair, pose: np.ndarray, rigid: np.ndarray) -> bool:
    """The same by NMI and NGF alone, without the outline of what a volume shows.

    Blocks beside that outline have little left, and agree by chance: of brains in simulated CTs, whose insides are
    nearly uniform, consensus rises by up to 0.1 at wrong stretches.

    Args:
        pose, rigid: as for :func:`is_worth_it`.
    """
    return _joint_gain(without_outline(pair), pose, rigid) > Stretch.of(pose[:3, :3]).least_gain


def cut_out_at(pair: Pair, pose: np.ndarray) -> str | None:
    """Which scan was cut out of the other, seen at a pose (4, 4): ``fixed``, ``moving`` or None.

    It is seen without the stretch of the pose, with which a head may be small enough to lie within another one.  Where
    the stretch is real, a brain without it may be larger than the head.
    """
    found = cut_out_of_other(pair, restricted(pose, pair.points, "rigid"))
    if found is not None or not Stretch.of(pose[:3, :3]).is_clear:
        return found
    found = cut_out_of_other(pair, pose, evenly_bright=True)
    return found if found and is_worth_it_inside(pair, pose, nearest_rigid(pair, pose)) else None


def is_gained(pair: Pair, pose: np.ndarray, preferred: np.ndarray) -> bool:
    """Whether NMI and NGF gain what the stretch costs on which blocks agree.

    At the end of a field of view blocks prefer its middle, where more of them is seen: those of a small part, such as
    a cylinder of a cone-beam CT, agree on a stretch of 5 to 10 % that is none.  NMI and NGF, refined from there, then
    gain 0.002 to 0.007, where 0.02 to 0.04 are asked for; by real stretches of heads and slabs, 0.07 to 0.2.

    Args:
        pose: (4, 4), fixed LPS to moving LPS, that was assessed.
        preferred: (4, 4), on which its blocks agree.
    """
    gains = _gains(pair, pose, preferred)
    return gains.stretch.is_clear and gains.by_stretch > gains.stretch.least_gain


def is_merely_off(pair: Pair, pose: np.ndarray, preferred: np.ndarray) -> bool:
    """Whether NMI and NGF gain what the stretch costs by a rigid motion, and not by the stretch: blocks about a wrong
    pose agree on one that is none.

    Args:
        pose, preferred: as for :func:`is_gained`.
    """
    cost = Stretch.of((np.linalg.inv(pose) @ preferred)[:3, :3]).least_gain
    return not is_gained(pair, pose, preferred) and _gains(pair, pose, preferred).by_motion > cost


class _Gains(NamedTuple):
    """What NMI and NGF together gain by a refinement, and the stretch that is left by it."""

    by_stretch: float
    by_motion: float
    stretch: Stretch


def _gains(pair: Pair, pose: np.ndarray, preferred: np.ndarray) -> _Gains:
    """Of the refinement of what blocks prefer, with and without its stretch; found once a pair."""

    def make() -> _Gains:
        objective = MEDIUM.objective(pair)
        refined = objective.descend(preferred[None], "affine", MEDIUM.schedule)[0][0]
        change = np.linalg.inv(pose) @ refined
        unstretched = pose @ restricted(change, pair.points, "rigid")
        moved = objective.descend(unstretched[None], "rigid", MEDIUM.schedule)[0][0]
        by_motion = _joint_gain(pair, moved, pose)
        best = moved if by_motion > 0 else pose
        return _Gains(_joint_gain(pair, refined, best), max(by_motion, 0.0), Stretch.of(change[:3, :3]))

    return pair.once(("gains of a stretch", pose.tobytes(), preferred.tobytes()), make)


def nearest_rigid(pair: Pair, pose: np.ndarray) -> np.ndarray:
    """(4, 4): the rigid pose at which NMI and NGF are best near a stretched one (4, 4)."""
    plain = restricted(pose, pair.points, "rigid")
    return MEDIUM.objective(pair).descend(plain[None], "rigid", MEDIUM.schedule)[0][0]


def _joint_gain(pair: Pair, pose: np.ndarray, rigid: np.ndarray) -> float:
    """By how much NMI and NGF together are better at a pose (4, 4) than at another."""
    here, there = FINE.objective(pair).values(np.stack([pose, rigid]))
    return float(there - here)


def _consensus_gain(pair: Pair, pose: np.ndarray, rigid: np.ndarray) -> float:
    """By how much blocks agree better at a pose (4, 4) than at another."""
    return _consensus(pair, pose) - _consensus(pair, rigid)


def _consensus(pair: Pair, pose: np.ndarray) -> float:
    """Of the blocks about a pose, on a rigid motion; found once a pair."""

    def make() -> float:
        blocks = block_matching_of(pair).about(pose)
        return common_motion(blocks).consensus if len(blocks.centers) >= FEWEST_BLOCKS else 0.0

    return pair.once(("consensus", pose.tobytes()), make)
