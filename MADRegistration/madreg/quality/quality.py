"""How good a pose is: the verdict on what was observed, what should be known besides, and the bound of its error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .bound import bound_of, bound_of_region
from .observations import Observations
from .remarks import remarks_on
from .verdict import has_little_overlap, verdict_of

WITHOUT_OVERLAP = (
    "At this pose, less than 1 % of the fixed scan lies in the moving one: register them with a search; if the moving "
    "scan is that small, exchange both."
)


@dataclass(frozen=True)
class Quality(Observations):
    """How good a pose is."""

    @property
    def verdict(self) -> str:
        """``aligned``, ``check`` or ``failed``."""
        return verdict_of(self)

    @property
    def remarks(self) -> list[str]:
        """What should be known besides the verdict, a sentence each."""
        return remarks_on(self)

    @property
    def little_overlap(self) -> bool:
        """Whether the scans have so little in common that no pose is sure."""
        return has_little_overlap(self)

    @property
    def bound_mm(self) -> float | None:
        """The true mean error of scans of the same body is at most this in 95 % of cases; None where unknown."""
        may_be_other = self.is_mirrored or self.may_be_other_body
        if self.verdict == "failed" or may_be_other or self.motion_mm is None or self.deformation_mm is None:
            return None
        unit = self.unit_mm
        return unit * bound_of(self.motion_mm / unit, self.deformation_mm / unit, self.by_features)

    def bound_of_region_mm(self, mean_mm: float) -> float | None:
        """The same of the error averaged over a region of the fixed scan; None where the pose has no bound.

        Args:
            mean_mm: mean of the estimated local error over the region.
        """
        if self.bound_mm is None or self.deformation_mm is None:
            return None
        unit = self.unit_mm
        return unit * bound_of_region(mean_mm / unit, self.deformation_mm / unit, self.by_features)


def verdict_or_failed(quality: Quality | None) -> str:
    """The verdict on a pose; scans that do not overlap, of which there is no quality, have failed."""
    return "failed" if quality is None else quality.verdict


def remarks_or_no_overlap(quality: Quality | None) -> list[str]:
    """What should be known of a pose besides the verdict, a sentence each; without quality, that nothing overlaps."""
    return [WITHOUT_OVERLAP] if quality is None else quality.remarks


def agreed_pose(quality: Quality) -> np.ndarray:
    """The pose (4, 4) on which the blocks agree, of any shape; ``preferred`` is as near to it as the type allows."""
    if quality.blocks_at is None or quality.motion is None:
        return quality.preferred.matrix
    return quality.blocks_at.matrix @ quality.motion.matrix


def basis_of_verdict(quality: Quality | None) -> dict[str, Any]:
    """What a verdict rests on, and the bound of the error, as plain types for a report; None stands for no overlap.

    The margin is None too where there is nothing to compare: JSON has no infinity.
    """
    return {
        "bound_mm": quality and quality.bound_mm,
        "motion_mm": quality and quality.motion_mm,
        "deformation_mm": quality and quality.deformation_mm,
        "consensus": quality and quality.consensus,
        "margin": quality.margin if quality and np.isfinite(quality.margin) else None,
        "joint_margin": quality and quality.joint_margin,
        "is_recognized": quality and quality.is_recognized,
        "may_be_other_body": quality and quality.may_be_other_body,
        "little_overlap": quality is None or quality.little_overlap,
    }
