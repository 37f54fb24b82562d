"""Bounds that the true mean error, over the fixed foreground or a region of it, does not exceed in 95 % of cases.

By cross-conformal prediction (Vovk 2015; Romano et al. 2019): on pairs of known alignment, misaligned on purpose, the
95th percentile of the true error is fitted by what is known of an assessment, and the factor is found by which it has
to be multiplied so that 95 % of the cases of pairs that the fit has not seen are within: of every kind of pair, of
misalignment and of region, which are not known of other cases.

The numbers are those of ``docs/results/bounds/bounds.md``, which the benchmark's study ``bounds`` makes.
"""

from __future__ import annotations

from typing import NamedTuple

LEVEL = 0.95


class Constants(NamedTuple):
    """A bound is ``factor`` times the sum of ``constant_mm``, and of the error and the deformation times a number."""

    factor: float
    constant_mm: float
    error: float
    deformation: float


# Of blocks compared by edges and by features.
WHOLE = {False: Constants(1.2011, 0.1810, 0.8549, 2.1831), True: Constants(1.1143, 0.0, 0.9516, 1.9402)}
REGION = {False: Constants(1.1641, 0.0, 0.9356, 2.0087), True: Constants(1.0932, 0.0, 0.9882, 2.1166)}


def bound_of(motion_mm: float, deformation_mm: float, by_features: bool = True) -> float:
    """The bound in mm of an alignment that has not failed.

    Args:
        motion_mm: mean displacement of the fixed foreground by the motion on which the blocks agree.
        deformation_mm: what no affine motion explains (:mod:`madreg.quality.deformation`).
        by_features: whether the blocks were compared by features in the end.
    """
    return _bound(WHOLE[by_features], motion_mm, deformation_mm)


def bound_of_region(local_mm: float, deformation_mm: float, by_features: bool = True) -> float:
    """The bound in mm of the error averaged over a region of the fixed scan.

    Args:
        local_mm: mean of the estimated local error over the region.
        deformation_mm, by_features: as for :func:`bound_of`.
    """
    return _bound(REGION[by_features], local_mm, deformation_mm)


def _bound(constants: Constants, error_mm: float, deformation_mm: float) -> float:
    sum_mm = constants.constant_mm + constants.error * error_mm + constants.deformation * deformation_mm
    return constants.factor * sum_mm
