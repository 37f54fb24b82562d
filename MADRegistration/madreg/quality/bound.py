"""Bounds that the true mean error, over the fixed foreground or a region of it, does not exceed in 95 % of cases.

By cross-conformal prediction (Vovk 2015; Romano et al. 2019): on pairs of known alignment, misaligned on purpose, the
95th percentile of the true error is fitted by what is known of an assessment, and the factor is found by which it has
to be multiplied so that 95 % of the cases of pairs that the fit has not seen are within: of every kind of pair, of
misalignment and of region, which are not known of other cases.

The numbers are those of ``docs/results/bounds/bounds.md``, which the benchmark's study ``bounds`` makes.
"""

from __future__ import annotations

LEVEL = 0.95
CONSTANT_MM, MOTION, DEFORMATION = 0.0, 0.9604, 1.9301
FACTOR = 1.0918
REGION_CONSTANT_MM, LOCAL, REGION_DEFORMATION = 0.0, 1.0060, 2.0444
REGION_FACTOR = 1.1223


def bound_of(motion_mm: float, deformation_mm: float) -> float:
    """The bound in mm of an alignment that has not failed.

    Args:
        motion_mm: mean displacement of the fixed foreground by the motion on which the blocks agree.
        deformation_mm: what no affine motion explains (:mod:`madreg.quality.deformation`).
    """
    return FACTOR * (CONSTANT_MM + MOTION * motion_mm + DEFORMATION * deformation_mm)


def bound_of_region(local_mm: float, deformation_mm: float) -> float:
    """The bound in mm of the error averaged over a region of the fixed scan.

    Args:
        local_mm: mean of the estimated local error over the region.
        deformation_mm: as for :func:`bound_of`.
    """
    return REGION_FACTOR * (REGION_CONSTANT_MM + LOCAL * local_mm + REGION_DEFORMATION * deformation_mm)
