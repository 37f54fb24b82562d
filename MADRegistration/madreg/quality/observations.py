"""What was observed of a pose in both scans, in numbers, from which the verdict follows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from ..image.transform import Transform
from .blocks import Blocks
from .deformation import error_by_deformation
from .motion import Motion
from .shape import Stretch

Some = TypeVar("Some", bound="Observations")


@dataclass(frozen=True)
class Observations:
    """What was observed of a pose: its error, how clearly it is the best one, and what both scans have in common.

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
        stretch: between the scans, where blocks clearly show it, beyond that of the transform; else None.
        stretch_is_gained: whether NMI and NGF gain by it, too.
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
    stretch_is_gained: bool = True
    has_doubtful_shape: bool = False
    is_mirrored: bool = False
    may_be_other_body: bool = False
    moving_overlap: float = 0.0
    blocks: Blocks | None = None
    motion: Motion | None = None
    blocks_at: Transform | None = None
    unit_mm: float = 1.0

    def resized(self: Some, factor: float) -> Some:
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
        return self.unit_mm * error_by_deformation((self.deformation_mm or 0.0) / self.unit_mm, self.by_features)

    @property
    def shape_error_mm(self) -> float:
        """The part of the estimated error that no rigid motion can correct, but for a stretch that is reported."""
        return float(np.hypot(0.0 if self.stretch else self.shape_mm, self.error_by_deformation_mm))

    @property
    def other_is_better(self) -> bool:
        """Whether another pose is the better one."""
        return self.other is not None and self.margin < 0

    @property
    def by_features(self) -> bool:
        """Whether the blocks were compared by features in the end."""
        return self.blocks is None or self.blocks.by_features
