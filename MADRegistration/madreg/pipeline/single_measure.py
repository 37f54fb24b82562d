"""One measure alone, at one resolution, as in the MAD paper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..descent.adam import adam
from ..descent.objective import Forward, Schedule
from ..descent.refinement import descend
from ..image.pair import SPACING, Pair
from ..image.transform import Transform
from ..measures import MEASURES
from ..measures.base import Measure
from ..measures.mad import mad_of
from ..progress import Monitor

SCHEDULE = Schedule(adam, 80, 4.0, 0.05)


@dataclass(frozen=True)
class SingleMeasure:
    """A stage that descends on one measure from the best of some transforms.

    Attributes:
        name: of the measure, in :data:`madreg.measures.MEASURES`.
        kind: of the transform: ``rigid``, ``similarity`` or ``affine``.
        weights: ``.pt`` file of MAD's network; the bundled one if None.
    """

    name: str
    kind: str
    weights: str | None = None

    def run(self, pair: Pair, transforms: list[Transform], monitor: Monitor) -> list[Transform]:
        """The refined transform."""
        objective = Forward(self._measure(pair), pair.points)
        values = objective.values(np.stack([transform.matrix for transform in transforms]))
        best = transforms[int(np.argsort(values, kind="stable")[0])]
        return descend(self.name, objective, self.kind, SCHEDULE, [best], monitor)

    def _measure(self, pair: Pair) -> Measure:
        if self.name == "mad":
            return mad_of(pair, self.weights)
        return MEASURES[self.name](*pair.level(SPACING), seed=pair.seed)
