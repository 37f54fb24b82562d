"""Which of several transforms is the most plausible."""

from __future__ import annotations

from ..descent.refinement import hardly_overlap
from ..image.pair import Pair
from ..image.transform import Transform
from ..quality.alternatives import evidence
from ..system.parallel import parallel_map


def most_plausible_first(pair: Pair, transforms: list[Transform]) -> list[Transform]:
    """Transforms in the order of the evidence for them (:mod:`madreg.quality.alternatives`).

    NMI, NGF or blocks alone err: where two scans hardly depend on each other, as T2w and DCE of a pelvis, NMI of few
    samples is higher at wrong poses, and blocks agree by chance in slabs.  Transforms at which the scans hardly overlap
    come last.
    """
    if len(transforms) < 2:
        return transforms
    found = parallel_map(lambda one: evidence(pair, one.matrix), transforms, pair.fixed.device)

    def rank(index: int) -> tuple[bool, bool, float]:
        here = found[index]
        return hardly_overlap(pair, transforms[index]), here is None, 0.0 if here is None else -here.value

    return [transforms[index] for index in sorted(range(len(transforms)), key=rank)]
