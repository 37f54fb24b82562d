"""Stages that refine transforms by descent on a measure, ever finer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..image.pair import Pair
from ..image.transform import Transform
from ..measures.base import Measure
from ..measures.joint import Joint
from ..measures.nmi import NMI
from ..measures.symmetric import symmetric_joint
from ..progress import Monitor, StageRecord
from .adam import adam
from .bfgs import bfgs
from .objective import Forward, Objective, Schedule, in_smaller

KEPT = 0.5  # of its overlap that a pose keeps at least: what is left of two scans that slide apart agrees on anything
HARDLY_ANY_OVERLAP = 0.15  # of either foreground; the search asks for 0.25 of its edges, and descents may slide


def hardly_overlap(pair: Pair, transform: Transform) -> bool:
    """Whether the scans have so little in common at a transform that what is left of them may agree by chance."""
    return pair.greater_overlap(transform.matrix) < HARDLY_ANY_OVERLAP


def descend(
    name: str,
    objective: Objective,
    kind: str,
    schedule: Schedule,
    transforms: list[Transform],
    monitor: Monitor,
    overlap: Callable[[np.ndarray], float] = lambda pose: 1.0,
) -> list[Transform]:
    """Descend from each transform; they come back best first.

    None is worse than it was, and one that loses half of its overlap stays where it was.

    Args:
        overlap: of a pose (4, 4): the share of the scans that they have in common.
    """
    clock = time.perf_counter()
    start = np.stack([transform.matrix for transform in transforms])
    before = objective.values(start)
    poses, after = objective.descend(
        start, kind, schedule, lambda share, current: monitor.report(name, share, Transform(current[0]))
    )
    slid = [overlap(pose) < KEPT * overlap(first) for pose, first in zip(poses, start, strict=True)]
    worse = ~(after < before) | np.array(slid)
    poses[worse], after[worse] = start[worse], before[worse]
    order = np.argsort(after, kind="stable")
    best = order[0]
    seconds = time.perf_counter() - clock
    monitor.record(StageRecord(name, objective.name, float(before[best]), float(after[best]), seconds))
    return [Transform(pose) for pose in poses[order]]


@dataclass(frozen=True)
class Refinement:
    """A stage: which measure is lowered, at which resolution, and how far a pose may go.

    Attributes:
        spacing: mm, of the resolution.
        samples: points of the measure.
        schedule: Adam, whose momentum carries a pose from afar across local minima in which BFGS would stop, or BFGS,
            which is quicker from close by.
        kind: what may change: ``rigid``, ``similarity`` or ``affine``.
        flat: whether the volumes are flattened first (:mod:`madreg.image.shading`).
        shaded: by how much flattened volumes agree better at least where they are to be used.
    """

    name: str
    measure: Callable[..., Measure]
    spacing: float
    samples: int
    schedule: Schedule
    kind: str = "rigid"
    flat: bool = True
    shaded: float = 0.0

    def as_read(self) -> Refinement:
        """The same stage on volumes that are not flattened."""
        return replace(self, flat=False)

    def of_type(self, kind: str) -> Refinement:
        """The same stage for another type of transform."""
        return replace(self, kind=kind)

    def objective(self, pair: Pair) -> Objective:
        """What the stage minimizes for a pair; made once.  Its points lie in the smaller of both volumes."""
        return in_smaller(pair, self._forward)

    def _forward(self, pair: Pair) -> Forward:
        def make() -> Forward:
            volumes = pair.flattened if self.flat else (pair.fixed, pair.moving)
            fixed, moving = (volume.resampled(self.spacing) for volume in volumes)
            return Forward(self.measure(fixed, moving, samples=self.samples, seed=pair.seed), pair.points)

        return pair.once((self.measure, self.spacing, self.samples, self.flat), make)

    def run(self, pair: Pair, transforms: list[Transform], monitor: Monitor) -> list[Transform]:
        """Refine each transform; they come back best first, and none is worse than it was."""
        return descend(
            self.name, self.objective(pair), self.kind, self.schedule, transforms, monitor, pair.greater_overlap
        )


CANDIDATES = Refinement("candidates", NMI, 6.0, 8_000, Schedule(adam, 30, 4.0, 0.3))
SIZE = Refinement("size", NMI, 6.0, 8_000, Schedule(bfgs, 30, 3.0, 0.2))
COARSE = Refinement("coarse", NMI, 4.0, 12_000, Schedule(adam, 40, 2.0, 0.1))
MEDIUM = Refinement("medium", Joint, 3.0, 20_000, Schedule(bfgs, 20, 1.0, 0.05))
# so many samples that another draw moves the result by less than 0.3 mm, slabs of T2 on T1 included
FINE = Refinement("fine", Joint, 2.0, 100_000, Schedule(bfgs, 25, 0.5, 0.02))
# Scale and shear end less exact with it.  On tuning pairs shaded scans gain 0.007 to 0.05 by flattening and others at
# most 0.004, and what is flattened needlessly ends up to 0.17 mm farther off.
FINE_RIGID = replace(FINE, measure=symmetric_joint, shaded=0.005)


def best_first(pair: Pair, transforms: list[Transform], refinement: Refinement = MEDIUM) -> list[Transform]:
    """Transforms in the order of what refines them last: it separates right from wrong where NMI does not.

    Those at which the scans hardly overlap come last: the few samples that are left agree anywhere.
    """
    if len(transforms) < 2:
        return transforms
    values = refinement.objective(pair).values(np.stack([transform.matrix for transform in transforms]))
    apart = [hardly_overlap(pair, transform) for transform in transforms]
    order = sorted(range(len(transforms)), key=lambda index: (apart[index], values[index]))
    return [transforms[index] for index in order]
