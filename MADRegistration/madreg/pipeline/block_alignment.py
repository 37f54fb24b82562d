"""Candidates of the search, followed by blocks.

A rigid pose of what is really stretched fits nowhere, and NMI may be better at wrong poses.  Blocks are matched one by
one, and those of a right pose agree.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from ..image.fitting import restricted
from ..image.geometry import mean_displacement
from ..image.pair import Pair
from ..image.transform import Transform
from ..progress import Monitor, StageRecord
from ..quality.block_fit import block_matching_of, shared_consensus
from ..quality.motion import common_motion
from ..system.parallel import parallel_map

FOLLOWED = (4, 3)  # candidates that the blocks are asked about a second and a third time
BEST = FOLLOWED[-1]
STEPS = 25  # after which the blocks' motion is good enough for a candidate
SETTLED_MM = 2.0  # a candidate that moved by less is where its blocks prefer it


@dataclass(frozen=True)
class _Followed:
    """A pose (4, 4), the consensus of the blocks that led there, and whether they would lead any further."""

    pose: np.ndarray
    consensus: float = 0.0
    is_settled: bool = False


@dataclass(frozen=True)
class BlockAlignment:
    """A stage that moves transforms to where their blocks prefer them.

    Attributes:
        kind: of the transforms: ``rigid``, ``similarity`` or ``affine``.
    """

    kind: str

    def run(self, pair: Pair, transforms: list[Transform], monitor: Monitor) -> list[Transform]:
        """The transforms, moved; those whose blocks agree most come first, and the best :data:`BEST` went furthest."""
        clock = time.perf_counter()
        found = [_Followed(transform.matrix) for transform in transforms]
        rounds, consensus = (len(transforms), *FOLLOWED), []
        left: list[_Followed] = []
        for number, keep in enumerate(rounds):
            left = [*found[keep:], *left]
            moved = parallel_map(lambda one: self._followed(pair, one), found[:keep], pair.fixed.device)
            found = sorted(moved, key=lambda one: -one.consensus)
            consensus.append(found[0].consensus)
            monitor.report("candidates", (number + 1) / len(rounds), Transform(found[0].pose))
        seconds = time.perf_counter() - clock
        monitor.record(StageRecord("candidates", "blocks", -consensus[0], -consensus[-1], seconds))
        return [Transform(one.pose) for one in [*found, *left]]

    def _followed(self, pair: Pair, start: _Followed) -> _Followed:
        """A pose of our type that a third of the blocks prefer.  Consensus of few blocks is easily high."""
        if start.is_settled:
            return start
        motion = common_motion(block_matching_of(pair).about(start.pose, few=True), self.kind, STEPS)
        pose = restricted(start.pose @ motion.matrix, pair.points, self.kind)
        consensus = shared_consensus(pair, motion, start.pose)
        return _Followed(pose, consensus, mean_displacement(start.pose, pose, pair.points) < SETTLED_MM)
