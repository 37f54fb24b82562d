"""The pose that blocks lead to round by round, from farther off than NMI, and in slabs than MAD's matches."""

from __future__ import annotations

import time
from typing import NamedTuple

from ..image.fitting import restricted
from ..image.pair import Pair
from ..image.transform import Transform
from ..progress import Monitor, StageRecord
from ..quality.block_fit import block_matching_of, fit_blocks, shared_consensus
from ..quality.verdict import GOOD_CONSENSUS

ROUNDS = 6  # each goes up to 16 mm along every axis


class Followed(NamedTuple):
    """A rigid transform that blocks lead to.

    Attributes:
        consensus: of the blocks there, times the square root of the share of either scan that lies in the other.
    """

    transform: Transform
    consensus: float

    @property
    def is_sure(self) -> bool:
        """Whether the blocks agree better than they do at wrong poses."""
        return self.consensus >= GOOD_CONSENSUS


def follow_blocks(pair: Pair, start: Transform, monitor: Monitor) -> Followed | None:
    """Where blocks lead from a start; None where they show nothing."""
    clock = time.perf_counter()
    found = fit_blocks(block_matching_of(pair), start.matrix, pair.points, ROUNDS, may_stretch=False)
    if found is None:
        return None
    transform = Transform(restricted(found.preferred, pair.points, "rigid"))
    monitor.report("candidates", 1.0, transform)
    seconds = time.perf_counter() - clock
    monitor.record(StageRecord("candidates", "blocks", -found.rigid.consensus, -found.motion.consensus, seconds))
    return Followed(transform, shared_consensus(pair, found.motion, transform.matrix))
