"""A transform that was found, and how good it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..image.pair import Pair
from ..image.transform import Transform
from ..quality.assessment import assess
from ..quality.quality import Quality, verdict_or_failed
from ..quality.verdict import margin_is_small


class Found(NamedTuple):
    """A transform, fixed LPS to moving LPS, and its quality; None without overlap."""

    transform: Transform
    quality: Quality | None

    @classmethod
    def at(cls, pair: Pair, transform: Transform, kind: str, others: Sequence[Transform] = ()) -> Found:
        """A transform of a pair, assessed; arguments as for :func:`madreg.quality.assessment.assess`."""
        return cls(transform, assess(pair, transform, kind, others))

    def as_assessed(self, pair: Pair, kind: str) -> Found:
        """The same; where it fails, with the quality that an assessment of the transform finds, if it fails there, too.

        How far a failed pose is said to be off depends on the poses with which it is compared, and an assessment does
        not know the candidates of the registration.

        Args:
            pair: the whole volumes.
            kind: of the transform: ``rigid``, ``similarity`` or ``affine``.
        """
        if self.verdict != "failed":
            return self
        near = pair.near([self.transform.matrix])
        alone = Found(self.transform, assess(near, self.transform, kind, is_last=True))
        return alone if alone.verdict == "failed" else self

    @property
    def verdict(self) -> str:
        """``aligned``, ``check`` or ``failed``."""
        return verdict_or_failed(self.quality)

    @property
    def has_clear_margin(self) -> bool:
        """Whether there is clearly more evidence for it than for any other pose: it is the right one or near it."""
        return self.quality is not None and not margin_is_small(self.quality)

    @property
    def has_clear_place(self) -> bool:
        """Whether it is clear at which pose of all it is."""
        return self.verdict != "failed" or self.has_clear_margin

    def or_better(self, other: Found) -> Found:
        """The other one if it does not fail, or by a smaller margin; else this one, which failed."""
        if self.quality is None or other.quality is None:
            return self if other.quality is None else other
        return other if other.verdict != "failed" or other.quality.margin > self.quality.margin else self
