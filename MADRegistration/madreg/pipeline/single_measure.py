"""One measure alone, at one resolution, as in the MAD paper."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..descent.adam import adam
from ..descent.evaluation import evaluate
from ..descent.objective import Forward, Schedule
from ..descent.refinement import descend
from ..image.geometry import mean_displacement
from ..image.pair import SPACING, Pair
from ..image.transform import Transform
from ..measures import MEASURES
from ..measures.base import Measure
from ..measures.feature_mad import FeatureMAD, feature_mad_of, is_rotated
from ..measures.mad import mad_of
from ..measures.symmetric import symmetric_finest_features
from ..network import weights
from ..network.features import FeatureNetwork
from ..progress import Monitor
from .match_following import led_by_features, led_by_network

SCHEDULE = Schedule(adam, 80, 4.0, 0.05)
COARSE = (SCHEDULE, *[Schedule(adam, 30, 2.0, 0.3)] * 3)
STRETCHED = (Schedule(adam, 50, 2.0, 0.2), *[Schedule(adam, 30, 1.0, 0.2)] * 2)
FINE = (Schedule(adam, 40, 2.0, 0.05), *[Schedule(adam, 25, 0.7, 0.05)] * 3)
FINEST = Schedule(adam, 30, 0.7, 0.03)
SAME_MM = 10.0  # apart at most, a descent and matches lead to one pose


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
        """Descend on the coarse features first, then on all, then on the finest, from the best of some transforms.

        Features depend on the axes of the lattice.  So the moving scan is encoded anew after each descent, as it is
        seen from the pose found, until that is no longer rotated against the encoding.
        """
        best = None
        for transform in transforms:
            measure = measure.starting_from(transform.matrix)
            value = _value(measure, transform)
            if best is None or value < best[0]:
                best = value, transform, measure
        assert best is not None, "there is a start"
        _, start, measure = best
        measure, found = self._nearby(pair, measure, start, monitor.part(0.0, 0.5))
        if self.kind != "rigid":
            measure, found = self._rounds(pair, measure, True, STRETCHED, found, monitor.part(0.5, 0.6))
        measure, found = self._rounds(pair, measure, False, FINE, found, monitor.part(0.6, 0.9))
        if is_rotated(measure, found[0].matrix):
            measure = measure.seen_from(found[0].matrix)
        return self._descend(pair, symmetric_finest_features(measure), FINEST, found, monitor.part(0.9, 1.0))

    def _nearby(
        self, pair: Pair, measure: FeatureMAD, start: Transform, monitor: Monitor
    ) -> tuple[FeatureMAD, list[Transform]]:
        """Where the descent on coarse features ends from a start, or, if they agree better there, from where matches
        lead."""
        # far from the true pose an affine transform stretches what it should move
        rigid = replace(self, kind="rigid")
        measure, found = rigid._rounds(pair, measure, True, COARSE, [start], monitor.part(0.0, 0.4))
        led = led_by_features(pair, start, monitor.part(0.4, 0.5), self.weights)
        if led is None or mean_displacement(led.matrix, found[0].matrix, pair.points) < SAME_MM:
            return measure, found
        further, _ = led_by_network(mad_of(pair), start, monitor.part(0.5, 0.6))
        seen = [(measure.seen_from(one.matrix), one) for one in (led, further)]
        there, led_to = min(seen, key=lambda one: _value(*one))
        if _value(there, led_to) >= _value(measure, found[0]):
            return measure, found
        return rigid._rounds(pair, there, True, COARSE, [led_to], monitor.part(0.6, 1.0))

    def _rounds(
        self,
        pair: Pair,
        measure: FeatureMAD,
        coarse: bool,
        schedules: tuple[Schedule, ...],
        transforms: list[Transform],
        monitor: Monitor,
    ) -> tuple[FeatureMAD, list[Transform]]:
        """Descend, and again while the moving scan is rotated against its encoding; the last encoding and what is
        found."""
        for number, schedule in enumerate(schedules):
            part = monitor.part(number / len(schedules), (number + 1) / len(schedules))
            objective = measure.coarse() if coarse else measure
            transforms = self._descend(pair, objective, schedule, transforms, part)
            is_last = not coarse and number == len(schedules) - 1
            if is_last or not is_rotated(measure, transforms[0].matrix):
                break
            measure = measure.seen_from(transforms[0].matrix)
        return measure, transforms

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


def _value(measure: FeatureMAD, transform: Transform) -> float:
    """Of the coarse features at a transform."""
    return float(evaluate(measure.coarse(), transform.matrix[None])[0])
