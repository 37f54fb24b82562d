"""The pose that blocks lead to round by round, from farther off than NMI, and in slabs than MAD's matches."""

from __future__ import annotations

import time

from ..image.fitting import restricted
from ..image.pair import Pair
from ..image.transform import Transform
from ..progress import Monitor, StageRecord
from ..quality.block_fit import block_matching_of, fit_blocks

ROUNDS = 6  # each goes up to 16 mm along every axis


class BlockFollowing:
    """A stage that follows the blocks from the first transform."""

    def run(self, pair: Pair, transforms: list[Transform], monitor: Monitor) -> list[Transform]:
        """The transforms, and the rigid one that the blocks lead to; only the former where the blocks show nothing."""
        clock, start = time.perf_counter(), transforms[0].matrix
        found = fit_blocks(block_matching_of(pair), start, pair.points, ROUNDS, may_stretch=False)
        if found is None:
            return transforms
        followed = Transform(restricted(found.preferred, pair.points, "rigid"))
        monitor.report("candidates", 1.0, followed)
        seconds = time.perf_counter() - clock
        monitor.record(StageRecord("candidates", "blocks", -found.rigid.consensus, -found.motion.consensus, seconds))
        return [*transforms, followed]
