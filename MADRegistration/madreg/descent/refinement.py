"""The descents of the default pipeline: what is minimised one after the other, ever finer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..measures.joint import Joint
from ..measures.nmi import NMI
from .adam import adam
from .bfgs import bfgs


@dataclass(frozen=True)
class Refinement:
    """A stage of the default pipeline: which measure is minimised, where, and how far a pose may go.

    Attributes:
        spacing: mm, of the resolution.
        samples: fixed points of the measure.
        steps: evaluations at most.
        first_step, last_step: mm, of the descent.
        descent: Adam (:func:`adam`), whose momentum carries a pose from afar across dents in which BFGS
            (:func:`bfgs`) would stop, or BFGS, which is quicker from close by.
    """

    name: str
    measure: type[NMI] | type[Joint]
    spacing: float
    samples: int
    steps: int
    first_step: float
    last_step: float
    descent: Callable = bfgs


CANDIDATES = Refinement("candidates", NMI, 6.0, 8_000, 30, 4.0, 0.3, adam)
SIZE = Refinement("size", NMI, 6.0, 8_000, 30, 3.0, 0.2)
COARSE = Refinement("coarse", NMI, 4.0, 12_000, 40, 2.0, 0.1, adam)
MEDIUM = Refinement("medium", Joint, 3.0, 20_000, 20, 1.0, 0.05)
# so many samples that another draw moves the result by less than 0.3 mm, slabs of T2 on T1 included
FINE = Refinement("fine", Joint, 2.0, 100_000, 25, 0.5, 0.02)
