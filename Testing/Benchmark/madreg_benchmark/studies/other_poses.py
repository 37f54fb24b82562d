"""What the poses of a case are compared with, found once a case: nine tenths of the time of an assessment."""

from __future__ import annotations

from dataclasses import replace

from madreg.quality.alternatives import Comparison, compare, evidence
from madreg_benchmark.cases.case import Case
from madreg_benchmark.cases.misaligned import Misaligned, Misaligning

NEAR = ("right", "rigid", "stretched", "deformed", "registered")
"""Kinds of misalignment that are near enough to the right pose."""


class OtherPoses:
    """The comparison with other poses, of poses near the right one; those of the right pose stand for theirs."""

    def __init__(self, misaligning: Misaligning) -> None:
        self.misaligning = misaligning
        self._right: dict[str, tuple[Comparison, float]] = {}

    def of(self, case: Case, kind: str, made: Misaligned) -> Comparison | None:
        """The comparison of a misaligned pair of a case; None for kinds that are not in :data:`NEAR`, or if too little
        of the pair can be seen at either pose."""
        if kind not in NEAR:
            return None
        if case.name not in self._right:
            right = self.misaligning.make(case, "right", 0)
            found = evidence(right.pair, right.pose)
            if found is None:
                return None
            self._right[case.name] = compare(right.pair, right.pose), found.value
        comparison, value = self._right[case.name]
        here = evidence(made.pair, made.pose)
        return None if here is None else replace(comparison, margin=comparison.margin + here.value - value)
