"""Candidates of the search, followed by blocks.

A rigid pose of what is really stretched fits nowhere, and NMI may be better at wrong poses.  Blocks are matched one by
one, and those of a right pose agree.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from ..image.fitting import restricted
from ..image.pair import Pair
from ..image.transform import Transform
from ..progress import Monitor, StageRecord
from ..quality.block_fit import block_matching_of
from ..quality.motion import common_motion
from ..system.parallel import parallel_map

FOLLOWED = (3, 2)  # candidates that the blocks are asked about a second and a third time
BEST = FOLLOWED[-1]
STEPS = 25  # after which the blocks' motion is good enough for a candidate


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
        found = [(0.0, transform.matrix) for transform in transforms]
        rounds, consensus = (len(transforms), *FOLLOWED), []
        left: list[tuple[float, np.ndarray]] = []
        for number, keep in enumerate(rounds):
            poses = [pose for _, pose in found[:keep]]
            moved = parallel_map(lambda pose: self._followed(pair, pose), poses, pair.fixed.device)
            left = [*sorted(found[keep:], key=lambda one: -one[0]), *left]
            found = sorted(moved, key=lambda one: -one[0])
            consensus.append(found[0][0])
            monitor.report("candidates", (number + 1) / len(rounds), Transform(found[0][1]))
        seconds = time.perf_counter() - clock
        monitor.record(StageRecord("candidates", "blocks", -consensus[0], -consensus[-1], seconds))
        return [Transform(pose) for _, pose in [*found, *left]]

    def _followed(self, pair: Pair, pose: np.ndarray) -> tuple[float, np.ndarray]:
        """The consensus of a third of the blocks about a pose (4, 4), and the pose of our type that they prefer."""
        motion = common_motion(block_matching_of(pair).about(pose, few=True), self.kind, STEPS)
        return motion.consensus, restricted(pose @ motion.matrix, pair.points, self.kind)
