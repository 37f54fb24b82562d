"""What is known of how good a pose is, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..image.transform import Transform
from .blocks import Blocks
from .bound import bound_of
from .deformation import error_by_deformation
from .motion import Motion
from .remarks import remarks_on
from .shape import Stretch
from .verdict import LITTLE_OVERLAP, verdict_of


@dataclass(frozen=True)
class Quality:
    """How good a pose is.

    Attributes:
        transform: the pose that was assessed, fixed LPS to moving LPS.
        motion_mm: mean displacement of the fixed foreground by the motion on which the blocks agree, with the stretch
            that the type of transform does not allow; None where the blocks show nothing.
        consensus: of the blocks, at the pose that they prefer: 1 is full, 0 is chance.
        margin: by how much the evidence for the pose exceeds that for the best of its 180-degree flips and of the
            other poses that were found (:mod:`madreg.quality.alternatives`); negative where that one is better, and
            infinite where there is nothing to compare.
        preferred: the pose on which the blocks agree best, as near to it as the type of the transform allows.
        overlap: share of the fixed foreground that lies where the moving scan has data, and
        moving_overlap: the reverse.
        other: that best other pose, where its blocks prefer it.
        joint_margin: by how much NMI and NGF together are better at the pose than at ``other``, refined; None where the
            margin leaves no doubt.
        is_recognized: whether the margin leaves a doubt, but MAD's finest features agree clearly better at the pose
            than at all others that were compared (:mod:`madreg.quality.fine_features`).
        deformation_mm: root mean square of what no affine motion explains; None where the blocks show nothing.
        shape_mm: mean displacement of the fixed foreground by what is not rigid in the motion of the blocks.
        stretch: between the scans, where it is clear, beyond that of the transform; else None.
        has_doubtful_shape: whether the transform stretches by more than is likely, and that is not worth it
            (:mod:`madreg.quality.shape`).
        is_mirrored: whether a mirror image of the fixed scan fits better.
        may_be_other_body: whether a mirror image fits as well, as it mostly does for scans of two persons.
        blocks: the last ones compared, about the pose ``blocks_at``, and the ``motion`` on which they agree; None where
            they show nothing.
        unit_mm: of the lengths of ``blocks``, ``motion`` and ``blocks_at``.
    """

    transform: Transform
    motion_mm: float | None
    consensus: float
    margin: float
    preferred: Transform
    overlap: float = 1.0
    other: Transform | None = None
    joint_margin: float | None = None
    is_recognized: bool = False
    deformation_mm: float | None = None
    shape_mm: float = 0.0
    stretch: Stretch | None = None
    has_doubtful_shape: bool = False
    is_mirrored: bool = False
    may_be_other_body: bool = False
    moving_overlap: float = 0.0
    blocks: Blocks | None = None
    motion: Motion | None = None
    blocks_at: Transform | None = None
    unit_mm: float = 1.0

    def resized(self, factor: float) -> Quality:
        """The same with all lengths multiplied by a factor, but for those of the blocks."""
        if factor == 1:
            return self
        return replace(
            self,
            transform=self.transform.resized(factor),
            motion_mm=None if self.motion_mm is None else factor * self.motion_mm,
            preferred=self.preferred.resized(factor),
            deformation_mm=None if self.deformation_mm is None else factor * self.deformation_mm,
            shape_mm=factor * self.shape_mm,
            other=None if self.other is None else self.other.resized(factor),
            unit_mm=factor * self.unit_mm,
        )

    @property
    def error_mm(self) -> float | None:
        """The estimated mean error over the fixed foreground, with the deformation; None where it is unknown."""
        return None if self.motion_mm is None else self.with_deformation(self.motion_mm)

    def with_deformation(self, motion_mm: float) -> float:
        """The estimated error in mm of a pose that the motion on which the blocks agree displaces by so many mm."""
        return float(np.hypot(motion_mm, self.error_by_deformation_mm))

    @property
    def error_by_deformation_mm(self) -> float:
        """The part of the estimated error that no affine motion can correct."""
        return self.unit_mm * error_by_deformation((self.deformation_mm or 0.0) / self.unit_mm, by_features(self))

    @property
    def shape_error_mm(self) -> float:
        """The part of the estimated error that no rigid motion can correct, but for a stretch that is reported."""
        return float(np.hypot(0.0 if self.stretch else self.shape_mm, self.error_by_deformation_mm))

    @property
    def little_overlap(self) -> bool:
        """Whether the scans have so little in common that no pose is sure; a part has all in common with its whole."""
        return max(self.overlap, self.moving_overlap) < LITTLE_OVERLAP

    @property
    def other_is_better(self) -> bool:
        """Whether another pose is the better one."""
        return self.other is not None and self.margin < 0

    @property
    def remarks(self) -> list[str]:
        """What should be known besides the verdict, a sentence each."""
        return remarks_on(self)

    @property
    def verdict(self) -> str:
        """``aligned``, ``check`` or ``failed``; its lengths are those of objects as large as a head or a person."""
        return verdict_of(self.resized(1 / self.unit_mm))

    @property
    def bound_mm(self) -> float | None:
        """The true mean error of scans of the same body is at most this in 95 % of cases; None where unknown."""
        return _bound_of(self)


def verdict_or_failed(quality: Quality | None) -> str:
    """The verdict on a pose; scans that do not overlap, of which there is no quality, have failed."""
    return "failed" if quality is None else quality.verdict


def agreed_pose(quality: Quality) -> np.ndarray:
    """The pose (4, 4) on which the blocks agree, of any shape; ``preferred`` is as near to it as the type allows."""
    if quality.blocks_at is None or quality.motion is None:
        return quality.preferred.matrix
    return quality.blocks_at.matrix @ quality.motion.matrix


def by_features(quality: Quality) -> bool:
    """Whether the blocks were compared by features in the end."""
    return quality.blocks is None or quality.blocks.by_features


def _bound_of(quality: Quality) -> float | None:
    may_be_other = quality.is_mirrored or quality.may_be_other_body
    motion_mm, deformation_mm = quality.motion_mm, quality.deformation_mm
    if quality.verdict == "failed" or may_be_other or motion_mm is None or deformation_mm is None:
        return None
    return quality.unit_mm * bound_of(
        motion_mm / quality.unit_mm, deformation_mm / quality.unit_mm, by_features(quality)
    )


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
