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
from ..measures.feature_mad import FeatureMAD, feature_mad_of
from ..measures.mad import mad_of
from ..network import weights
from ..network.features import FeatureNetwork
from ..progress import Monitor

SCHEDULE = Schedule(adam, 80, 4.0, 0.05)
FINER = Schedule(adam, 40, 2.0, 0.05)


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
        measure = self.measure(pair)
        if isinstance(measure, FeatureMAD):
            return self._coarse_to_fine(pair, measure, transforms, monitor)
        return self._descend(pair, measure, SCHEDULE, transforms, monitor)

    def _descend(
        self, pair: Pair, measure: Measure, schedule: Schedule, transforms: list[Transform], monitor: Monitor
    ) -> list[Transform]:
        objective = Forward(measure, pair.points)
        values = objective.values(np.stack([transform.matrix for transform in transforms]))
        best = transforms[int(np.argsort(values, kind="stable")[0])]
        return descend(self.name, objective, self.kind, schedule, [best], monitor)

    def _coarse_to_fine(
        self, pair: Pair, measure: FeatureMAD, transforms: list[Transform], monitor: Monitor
    ) -> list[Transform]:
        """Descend on the coarse features first; between the two descents the moving scan is encoded once more, as it is
        seen from the pose found, if it is rotated: features depend on the axes of the lattice."""
        found = self._descend(pair, measure.coarse(), SCHEDULE, transforms, monitor.part(0.0, 0.6))
        if measure.is_rotated(found[0].matrix):
            measure = measure.seen_from(found[0].matrix)
        return self._descend(pair, measure, FINER, found, monitor.part(0.6, 1.0))

    def measure(self, pair: Pair) -> Measure:
        """The measure of a pair; that of MAD goes by what its network can do.

        Raises:
            InputError: if the weights are missing, damaged or foreign.
        """
        if self.name == "mad" and (self.weights is None or self._makes_features(self.weights)):
            return feature_mad_of(pair, self.weights)
        if self.name in ("mad", "mad-distance"):
            weights.load(self.weights)  # a network that predicts no distances is refused
            return mad_of(pair, self.weights)
        return MEASURES[self.name](*pair.level(SPACING), seed=pair.seed)

    @staticmethod
    def _makes_features(path: str) -> bool:
        return isinstance(weights.load_any(path)[0], FeatureNetwork)
