"""The bound that the true mean error does not exceed in 95 % of cases.

By split conformal prediction (Lei et al. 2018; Romano et al. 2019): on some pairs of known alignment, misaligned on
purpose, the 95th percentile of the true error is fitted by what is known of an assessment; on others it is found by
which factor this has to be multiplied, so that 95 % are within.  Pairs of either kind are used for nothing else.

The numbers are those of ``docs/results/bounds/bounds.md``, which the benchmark's study ``bounds`` makes.
"""

from __future__ import annotations

LEVEL = 0.95
CONSTANT_MM, ERROR, DEFORMATION = 1.0, 1.0, 1.0
FACTOR = 1.5


def bound_of(error_mm: float, deformation_mm: float) -> float:
    """The bound in mm of an alignment that has not failed.

    Args:
        error_mm: estimated mean error over the fixed foreground.
        deformation_mm: what no affine motion explains (:mod:`madreg.quality.deformation`).
    """
    return FACTOR * (CONSTANT_MM + ERROR * error_mm + DEFORMATION * deformation_mm)
