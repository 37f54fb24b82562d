"""Where a registration starts: where the volumes are, their centres, or every pose."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..errors import InputError
from ..image.pair import Pair
from ..image.transform import Transform
from ..pose.rotations import super_fibonacci
from ..pose.search import COUNT, ROTATIONS, SEEDS, search
from ..progress import Monitor, StageRecord
from ..quality.assessment import LEAST_OVERLAP

TRIALS = 5  # short descents for each long one, where a search is wider


@dataclass(frozen=True)
class Search:
    """Every pose: the transforms that are given are not used.

    Attributes:
        wider: times as many rotations, descents and candidates as usual; more than once, the descents start from the
            best of many short ones.
    """

    wider: int = 1

    def run(self, pair: Pair, transforms: list[Transform], monitor: Monitor) -> list[Transform]:
        """Candidates, the likeliest first.

        Raises:
            InputError: if no pose is possible.
        """
        clock = time.perf_counter()
        found = search(
            pair.fixed,
            pair.moving,
            rotations=super_fibonacci(self.wider * ROTATIONS),
            seeds=self.wider * SEEDS,
            trials=0 if self.wider == 1 else TRIALS * self.wider * SEEDS,
            count=self.wider * COUNT,
            progress=lambda share: monitor.report("search", share, transforms[0]),
        )
        if not found:
            raise InputError(
                f"No pose of {pair.moving.name} matches {pair.fixed.name}: check that both show the same anatomy, "
                "and that neither is empty or nearly so."
            )
        seconds = time.perf_counter() - clock
        monitor.record(StageRecord("search", "ngf", -found[-1].score, -found[0].score, seconds))
        return [Transform(candidate.matrix) for candidate in found]


@dataclass(frozen=True)
class Start:
    """The transform that is given, or with the centres of both volumes brought together.

    Attributes:
        init: ``none``, ``geometry`` or ``center_of_mass``.
    """

    init: str

    def run(self, pair: Pair, transforms: list[Transform], monitor: Monitor) -> list[Transform]:
        """The start.

        Raises:
            InputError: if the volumes have no field of view in common there.
        """
        matrix = transforms[0].matrix.copy()
        if self.init == "geometry":
            matrix[:3, 3] = pair.moving.grid.center - matrix[:3, :3] @ pair.fixed.grid.center
        elif self.init == "center_of_mass":
            matrix[:3, 3] = pair.moving.center_of_mass() - matrix[:3, :3] @ pair.fixed.center_of_mass()
        if pair.overlap(matrix) < LEAST_OVERLAP:
            raise InputError(
                f"{pair.fixed.name} and {pair.moving.name} have no field of view in common at the start: "
                'let the registration search for the pose (initialization "search").'
            )
        return [Transform(matrix)]


def initialization(init: str) -> Search | Start:
    """The stage for a value of ``Settings.init``."""
    return Search() if init == "search" else Start(init)
