"""Where a registration starts: where the volumes are, their centres, or every pose."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..image.pair import Pair
from ..image.transform import Transform
from ..pose.rotations import between_super_fibonacci, super_fibonacci
from ..pose.search import COUNT, ROTATIONS, SEEDS, PoseSearch
from ..progress import Monitor, StageRecord
from ..quality.assessment import NO_OVERLAP
from ..quality.fine_features import is_comparable
from .feature_search import clearly_matched

WIDER = 2  # times as many rotations and candidates, where a search is widened
BEGUN = 10  # times as many descents, most of which are left out on the way


class Search:
    """Every pose: the transforms that are given are not used.

    Args:
        with_features: whether matches of MAD's features are tried first, of volumes of which that takes little time.
    """

    def __init__(self, with_features: bool = False) -> None:
        self.with_features = with_features
        self.search: PoseSearch | None = None

    def run(self, pair: Pair, transforms: list[Transform], monitor: Monitor) -> list[Transform]:
        """Candidates, the likeliest first.

        Raises:
            InputError: if no pose is possible.
        """
        if self.with_features and is_comparable(pair):
            found = self._matched(pair, transforms[0], monitor.part(0.0, 0.4))
            if found:
                return found
            monitor = monitor.part(0.4, 1.0)
        self.search = PoseSearch(pair.fixed, pair.moving)
        return self._continued(super_fibonacci(ROTATIONS), SEEDS, SEEDS, COUNT, transforms[0], monitor)

    def _matched(self, pair: Pair, transform: Transform, monitor: Monitor) -> list[Transform]:
        """Where matches of features meet, if they clearly do at one pose."""
        clock = time.perf_counter()
        found = clearly_matched(pair, lambda share: monitor.report("search", share, transform))
        if found:
            seconds = time.perf_counter() - clock
            monitor.record(StageRecord("search", "mad", -found[-1].score, -found[0].score, seconds))
        return [Transform(one.matrix) for one in found]

    def wider(self, transform: Transform, monitor: Monitor) -> list[Transform]:
        """More candidates of the same pair, with further rotations and from many more poses, the likeliest first.

        Args:
            transform: which is shown meanwhile.
        """
        further = between_super_fibonacci((WIDER - 1) * ROTATIONS)
        return self._continued(further, BEGUN * SEEDS, WIDER * SEEDS, WIDER * COUNT, transform, monitor)

    def _continued(
        self, rotations: np.ndarray, seeds: int, kept: int, count: int, transform: Transform, monitor: Monitor
    ) -> list[Transform]:
        """Candidates after some rotations (R, 3, 3) more; arguments as for :meth:`PoseSearch.run`."""
        assert self.search is not None
        clock = time.perf_counter()
        found = self.search.run(rotations, seeds, kept, count, lambda share: monitor.report("search", share, transform))
        if not found:
            raise InputError(
                f"No pose of {self.search.moving.name} matches {self.search.fixed.name}: check that both show the same "
                "anatomy, and that neither is empty or nearly so."
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
        if pair.overlap(matrix) < NO_OVERLAP:
            raise InputError(
                f"{pair.fixed.name} and {pair.moving.name} have no field of view in common at the start, or "
                "less than 1 % of the fixed one: let the registration search for the pose (initialization "
                '"search"), or exchange both if the moving one is that small.'
            )
        return [Transform(matrix)]


def initialization(init: str, with_features: bool = False) -> Search | Start:
    """The stage for a value of ``Settings.init``; a search may try features first."""
    return Search(with_features) if init == "search" else Start(init)
