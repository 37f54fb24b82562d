"""What is known of how good a pose is, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..image.transform import Transform
from .blocks import Blocks
from .motion import Motion
from .shape import Stretch

# Tuning pairs (simulated CT-T1, T1-T2; rigid, affine, half scans): right poses have flip ratios of 1.6 to 3.3.  Wrong
# ones, refined with NMI, 1.55 at most, and those above 1.3 want to move by 5 mm or more.
CLEAR_RATIO, LEAST_RATIO = 1.5, 1.25
ALIGNED_MM, FAILED_MM = 3.0, 10.0
# Tuning pairs in doubt (slabs of 20 and 30 mm; CT on a synthetic couch; 112 mm of slices of 4 mm): right poses have
# margins of 0.05 and more (one, 4 mm off, 0.03, but a ratio of 1.9), those with a couch or of 112 mm 0.09 and more;
# flipped poses, refined, and the search's wrong candidates 0.02 at most, mostly below 0.  Poses that slid by 11 mm had
# 0.045.
CLEAR_MARGIN, SURE_MARGIN = 0.045, 0.08
GOOD_CONSENSUS = 0.55  # wrong poses of tuning pairs reach 0.53, right ones of simulated pairs 0.65 and more
LEAST_OVERLAP = 0.2  # slabs of 20 mm have less: of those of tuning pairs one was 15 mm off, and nothing showed it


@dataclass(frozen=True)
class Quality:
    """How good a pose is.

    Attributes:
        transform: the pose that was assessed, fixed LPS to moving LPS.
        error_mm: the estimated mean error over the fixed foreground, with the stretch that the type of transform does
            not allow; None where the blocks show nothing.
        consensus: of the blocks, at the pose that they prefer: 1 is full, 0 is chance.
        flip_ratio: their consensus at the pose as a multiple of that at the best 180-degree flip of it.
        preferred: the pose on which the blocks agree best, as near to it as the type of the transform allows: a rigid
            pose stays rigid, a similarity keeps one scale.
        overlap: share of the fixed foreground that lies where the moving scan has data.
        flipped: the best 180-degree flip, refined; None if none was tried.
        flip_margin: by how much NMI and NGF together are better at the pose than at ``flipped``; None where the blocks
            leave no doubt.
        others_ratio: their consensus as a multiple of that at the best of the other poses that were found; None where
            there are none.
        stretch: between the scans, where it is clear, beyond that of the transform; else None.
        has_doubtful_shape: whether the transform stretches by more than is likely, and the blocks do not support it.
        is_mirrored: whether a mirror image of the fixed scan fits better.
        blocks: the last ones compared, about the pose ``blocks_at``, and the ``motion`` on which they agree; None where
            they show nothing.
        unit_mm: of the lengths of ``blocks``, ``motion`` and ``blocks_at``.
    """

    transform: Transform
    error_mm: float | None
    consensus: float
    flip_ratio: float
    preferred: Transform
    overlap: float = 1.0
    flipped: Transform | None = None
    flip_margin: float | None = None
    others_ratio: float | None = None
    stretch: Stretch | None = None
    has_doubtful_shape: bool = False
    is_mirrored: bool = False
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
            error_mm=None if self.error_mm is None else factor * self.error_mm,
            preferred=self.preferred.resized(factor),
            flipped=None if self.flipped is None else self.flipped.resized(factor),
            unit_mm=factor * self.unit_mm,
        )

    @property
    def little_overlap(self) -> bool:
        """Whether the scans have so little in common that no pose is sure."""
        return self.overlap < LEAST_OVERLAP

    @property
    def is_ambiguous(self) -> bool:
        """Whether the scans agree well at several poses, as those of a nearly symmetric object do."""
        return self.consensus >= GOOD_CONSENSUS and self._least_ratio < LEAST_RATIO

    @property
    def _least_ratio(self) -> float:
        return self.flip_ratio if self.others_ratio is None else min(self.flip_ratio, self.others_ratio)

    @property
    def flip_is_better(self) -> bool:
        """Whether a 180-degree flip is the better pose."""
        return self.flip_ratio < 1 if self.flip_margin is None else self.flip_margin < 0

    @property
    def remarks(self) -> list[str]:
        """What should be known besides the verdict, a sentence each."""
        if self.is_ambiguous:
            return ["Several poses fit equally well, as the object is nearly symmetric: check its orientation."]
        if self.verdict == "failed":
            unclear = self.little_overlap or self._least_ratio < LEAST_RATIO
            return ["The scans have too little in common: no pose is clearly better than others."] if unclear else []
        said = [] if self.stretch is None else [self.stretch.sentence()]
        if self.is_mirrored:
            said.append("A mirror image fits better: check left and right in the headers of both scans.")
        return said

    @property
    def verdict(self) -> str:
        """``aligned``, ``check`` or ``failed``."""
        lost = self.flip_ratio < LEAST_RATIO and (self.flip_margin or 0.0) < CLEAR_MARGIN
        # right poses of tuning pairs have 1.9 and more to other poses of the search, wrong ones 1.0; but under strong
        # shading blocks alone like wrong poses as well
        lost |= self._least_ratio < LEAST_RATIO and self.flip_ratio < CLEAR_RATIO and self.others_ratio is not None
        if lost or self.flip_is_better or (self.error_mm is not None and self.error_mm > FAILED_MM):
            return "failed"
        in_doubt = self.little_overlap or self.has_doubtful_shape or self.is_mirrored
        sure = self._least_ratio >= CLEAR_RATIO and not in_doubt
        return "aligned" if sure and self.error_mm is not None and self.error_mm <= ALIGNED_MM else "check"


def evidence(quality: Quality | None) -> dict[str, Any]:
    """What a verdict rests on, as plain types for a report; None stands for no overlap."""
    return {
        "consensus": quality and quality.consensus,
        "flip_ratio": quality and quality.flip_ratio,
        "flip_margin": quality and quality.flip_margin,
        "little_overlap": quality is None or quality.little_overlap,
    }
