"""One trial: a phantom is registered, and misaligned on purpose, and both alignments are assessed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..image.geometry import about, apply, mean_displacement, rotation
from ..image.pair import Pair
from ..image.transform import Transform
from ..image.volume import Volume
from ..pipeline.assessment import Assessment, assess_alignment
from ..pipeline.registration import register
from ..pipeline.result import Result
from ..settings import Settings
from .phantom import CHANGES, CONTRASTS, make_phantom

MISALIGNED = 0.5, 4.0  # times the tolerance: how far off the misaligned pose is
KINDS = [(change, contrast) for change in CHANGES for contrast in CONTRASTS]


@dataclass(frozen=True)
class Claim:
    """What is said of an alignment, and what is true.

    Attributes:
        true_mm: mean error over the scan's foreground.
        estimated_mm: the estimate of it; None where unknown.
        bound_mm: what it is said not to exceed in 95 % of cases; None if nothing is said.
        verdict: ``aligned``, ``check`` or ``failed``.
    """

    true_mm: float
    estimated_mm: float | None
    bound_mm: float | None
    verdict: str

    @property
    def holds(self) -> bool:
        """Whether the true error is within the bound; without a bound, whether the verdict is not ``aligned``."""
        return self.verdict != "aligned" if self.bound_mm is None else self.true_mm <= self.bound_mm


@dataclass(frozen=True)
class TrialResult:
    """What came of a trial.

    Attributes:
        number: of the trial, from 0.
        change, contrast: of the phantom.
        left_mm: mean distance of a deformation from the nearest rigid transform: what no rigid one can correct.
        registered: what is said of the registration.
        misaligned: what is said of a pose off on purpose.
    """

    number: int
    change: str
    contrast: str
    left_mm: float
    registered: Claim
    misaligned: Claim

    @property
    def claims(self) -> tuple[Claim, Claim]:
        """Both."""
        return self.registered, self.misaligned

    @property
    def error_mm(self) -> float:
        """Mean error of the registration, beyond what no transform of its type can correct."""
        return max(self.registered.true_mm - self.left_mm, 0.0)

    def report(self, tolerance: float) -> dict[str, Any]:
        """Everything as plain types.

        Args:
            tolerance: mm, up to which the registration passes.
        """
        return {**asdict(self), "error_mm": self.error_mm, "passed": self.error_mm <= tolerance}


def run_trial(scan: Volume, number: int, tolerance: float, settings: Settings) -> TrialResult:
    """Make a phantom of a scan, register it, misalign it and assess both.

    Args:
        number: of the trial: it determines the kind of phantom, and all that is random about it.
        tolerance: mm; the misaligned pose is off by about as much.
        settings: of the registration, but for the type of transform.
    """
    rng = np.random.default_rng([settings.seed, number])
    points = Pair(scan, scan, settings.seed).points
    phantom = make_phantom(scan, points, *KINDS[number % len(KINDS)], rng)

    def off(pose: np.ndarray) -> float:
        return float(np.linalg.norm(apply(pose, points) - phantom.targets, axis=1).mean())

    def claim(found: Result | Assessment, pose: np.ndarray, error_mm: float | None) -> Claim:
        bound = None if found.quality is None else found.quality.bound_mm
        return Claim(off(pose), error_mm, bound, found.verdict)

    result = register(scan, phantom.volume, replace(settings, type=phantom.type))
    pose = result.transform.matrix
    wrong = phantom.truth @ _motion(points, tolerance * rng.uniform(*MISALIGNED), rng)
    assessed = assess_alignment(scan, phantom.volume, Transform(wrong), settings)
    return TrialResult(
        number,
        phantom.change,
        phantom.contrast,
        off(phantom.truth),
        claim(result, pose, result.error_after_mm),
        claim(assessed, wrong, assessed.error_mm),
    )


def _motion(points: np.ndarray, length: float, rng: np.random.Generator) -> np.ndarray:
    """A rotation about the middle of points (n, 3) and a translation (4, 4), which move them by a mean length in mm."""
    center, axis, direction = points.mean(0), rng.normal(size=3), rng.normal(size=3)
    direction /= np.linalg.norm(direction)

    def motion(share: float) -> np.ndarray:
        return about(center, rotation(axis, share * 5), share * 5 * direction)

    return motion(length / mean_displacement(motion(1.0), np.eye(4), points))
