"""Find the pose from anywhere: every rotation on a grid, every translation at once, then a descent from the best.

For each of some hundred rotations the moving image's structure tensors are rotated and correlated with the fixed
image's over all translations by FFT.  The tensor of a normalised gradient, ``n n^T``, does not know the sign of the
contrast, so the correlation of two tensor fields is the NGF similarity ``(n_F . n_M)^2`` of every translation.
Taking out the trace removes the part that only says "here is an edge of any direction".

The lattice of the correlation is coarse and its rotations lie far apart, so that the right pose seldom scores best.
From the best poses the same score is therefore raised on a finer lattice, of all poses together.

Sources: NGF: Haber and Modersitzki 2006.  All translations of a gradient measure by FFT: Oefverstedt et al. 2021,
"Cross-Sim-NGF: FFT-based global rigid multimodal alignment of image volumes using normalized gradient fields"
(arXiv 2110.10156).  Rotations: Alexa 2022, "Super-Fibonacci spirals: fast, low-discrepancy sampling of SO(3)".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..descent.adam import adam
from ..descent.descents import Descents
from ..descent.objective import Schedule
from ..image.geometry import apply, rotation_angle
from ..image.volume import Volume
from ..system.parallel import parallel_map
from .correlation import Candidate, Correlation
from .rotations import super_fibonacci
from .tensor_agreement import TensorAgreement

ROTATIONS = 400
COARSE = (8.0, 17.0)  # mm, of the lattice of the correlation: least and greatest
SAMPLES = 10.0  # of that lattice across the thinner volume, within these bounds
SMALL = 60.0  # mm, radius of gyration, below which the lattice is the finest
MIN_OVERLAP = 0.25  # of the smaller image's edges that must lie in the other's field of view
TRANSLATIONS = 3  # of each rotation
FINE = 6.0  # mm, of the tensors on which it descends
POINTS = 600  # at which they are compared
DESCENT = Schedule(adam, 20, 8.0, 1.0)  # steps; mm, length of the first and last
# Where the best score is clear, descents far below it are not worth the rest of their steps: of 85 candidates of 26
# such tuning trials 2 score less than 0.7 of the best after 9 steps, none of them the best at the end; of all descents
# two thirds do.  Of crossed slabs, whose best scores are about 0.4, right poses may lie below.
DROPPED_AFTER, CLEAR, PROMISING = 9, 0.5, 0.7
SEEDS = 120  # poses from which the descent starts
AT_ONCE = 25  # descents, for the memory they take and to divide them among processors
COUNT = 12  # candidates
PLAUSIBLE = 0.8  # of the best score, that a candidate has at least, by default
CORRELATED = 0.7  # of the time of a search
LARGER = 1.2  # times the radius of gyration of the other: such a volume is not the one that is rotated


def search(
    fixed: Volume,
    moving: Volume,
    *,
    rotations: np.ndarray | None = None,
    seeds: int = SEEDS,
    count: int = COUNT,
    min_overlap: float = MIN_OVERLAP,
    plausible: float = PLAUSIBLE,
    progress: Callable[[float], None] | None = None,
) -> list[Candidate]:
    """The best poses over all rotations and translations, as :meth:`PoseSearch.candidates` finds them.

    Args:
        fixed, moving: the pair; where they lie in the world does not matter.
        rotations: (R, 3, 3), fixed directions to moving directions; :data:`ROTATIONS` evenly spread ones by default.
        seeds: from how many poses to descend.
        count: how many candidates to return at most.
        min_overlap: share of the smaller image's edges that must lie in the other's field of view.
        plausible: of the best score, so much a candidate has at least.
        progress: called with the share done, may raise to stop.
    """
    poses = PoseSearch(fixed, moving, min_overlap)
    rotations = super_fibonacci(ROTATIONS) if rotations is None else rotations
    return poses.run(rotations, seeds, seeds, count, progress or (lambda share: None), plausible)


class PoseSearch:
    """A search over rotations, which may be continued with more of them.

    Args:
        fixed, moving: the pair; where they lie in the world does not matter.
        min_overlap: share of the smaller image's edges that must lie in the other's field of view.

    Attributes:
        correlated: the best translations of every rotation so far.
    """

    def __init__(self, fixed: Volume, moving: Volume, min_overlap: float = MIN_OVERLAP) -> None:
        self.fixed, self.moving, self.min_overlap = fixed, moving, min_overlap
        self.radii = [volume.resampled(FINE).radius_of_gyration for volume in (fixed, moving)]
        self.correlated: list[Candidate] = []

    def run(
        self,
        rotations: np.ndarray,
        seeds: int,
        kept: int,
        count: int,
        report_progress: Callable[[float], None],
        plausible: float = PLAUSIBLE,
    ) -> list[Candidate]:
        """The best poses after some rotations (R, 3, 3) more; the other arguments as for :meth:`candidates`."""
        self.correlate(rotations, lambda share: report_progress(CORRELATED * share))

        def report_rest(share: float) -> None:
            report_progress(CORRELATED + (1 - CORRELATED) * share)

        return self.candidates(seeds, kept, count, report_rest, plausible)

    def correlate(self, rotations: np.ndarray, report_progress: Callable[[float], None]) -> None:
        """Find the best translations of rotations (R, 3, 3), fixed directions to moving directions."""
        spacing = _spacing(min(self.fixed.thickness, self.moving.thickness), min(self.radii))
        if self.radii[1] > LARGER * self.radii[0]:  # the larger volume costs less where it is not rotated
            correlation = Correlation(self.moving, self.fixed, spacing, self.min_overlap)
            found = correlation.best(rotations.transpose(0, 2, 1), report_progress, TRANSLATIONS)
            found = [Candidate(np.linalg.inv(one.matrix), one.score) for one in found]
        else:
            correlation = Correlation(self.fixed, self.moving, spacing, self.min_overlap)
            found = correlation.best(rotations, report_progress, TRANSLATIONS)
        self.correlated += [one for one in found if np.isfinite(one.score)]

    def candidates(
        self,
        seeds: int,
        kept: int,
        count: int,
        report_progress: Callable[[float], None],
        plausible: float = PLAUSIBLE,
    ) -> list[Candidate]:
        """The best poses after a descent, best first.

        No two are within 20 degrees and 20 mm of each other, and none scores much below the best.

        Args:
            seeds: from how many poses to descend.
            kept: of how many of these, at most, the descent is made to its end.
            count: how many candidates to return at most.
            plausible: of the best score, so much a candidate has at least.
        """
        best = sorted(self.correlated, key=lambda one: -one.score)[:seeds]
        if not best:
            return []
        starts = np.array([one.matrix for one in best])
        if self.radii[0] > LARGER * self.radii[1]:  # points in the larger volume would mostly lie outside the smaller
            poses, scores = _raised(self.moving, self.fixed, np.linalg.inv(starts), kept, report_progress)
            center = apply(poses[scores.argmax()], self.moving.grid.center)
            poses = np.linalg.inv(poses)
        else:
            poses, scores = _raised(self.fixed, self.moving, starts, kept, report_progress)
            center = self.fixed.grid.center
        raised = [Candidate(pose, float(score)) for pose, score in zip(poses, scores, strict=True)]
        candidates = distinct(raised, center)[:count]
        return [one for one in candidates if one.score >= plausible * candidates[0].score]


def _spacing(thickness: float, radius: float) -> float:
    """Of the lattice of the correlation, in mm: the smaller and thinner the volumes, the finer.

    Args:
        thickness: mm, of the thinner volume.
        radius: mm, of gyration of the smaller volume.
    """
    least, greatest = COARSE
    return least if radius < SMALL else float(np.clip(thickness / SAMPLES, least, greatest))


def _raised(
    fixed: Volume, moving: Volume, starts: np.ndarray, count: int, report_progress: Callable[[float], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Poses (n, 4, 4) after a descent from each start, but for those that stay behind; and their scores (n,).

    Args:
        count: from how many starts, at most, the descent is made to its end.
    """
    measure = TensorAgreement(fixed, moving, FINE, POINTS)
    points = measure.points.cpu().double().numpy()
    parts = [
        Descents(measure, points, starts[first : first + AT_ONCE], DESCENT) for first in range(0, len(starts), AT_ONCE)
    ]

    def all_descend(steps: int, begin: float, end: float) -> None:
        parallel_map(
            lambda part: part.descend(steps),
            parts,
            fixed.device,
            lambda share: report_progress(begin + share * (end - begin)),
        )

    all_descend(DROPPED_AFTER, 0.0, 0.6)
    scores = -np.sort(np.concatenate([part.values for part in parts]))
    least = scores[:count][-1]
    if scores[0] >= CLEAR:
        least = max(least, PROMISING * scores[0])
    for part in parts:
        part.keep(-part.values >= least)
    all_descend(DESCENT.steps, 0.6, 1.0)
    poses, values = (np.concatenate(some) for some in zip(*(part.result() for part in parts), strict=True))
    return poses, -values


def distinct(found: list[Candidate], center: np.ndarray) -> list[Candidate]:
    """Those that are possible at all, best first, without any that is close to a better one; ``center``: (3,) LPS."""
    kept: list[Candidate] = []
    for one in sorted(found, key=lambda one: -one.score):
        if np.isfinite(one.score) and all(_differ(one.matrix, other.matrix, center) for other in kept):
            kept.append(one)
    return kept


def _differ(first: np.ndarray, second: np.ndarray, center: np.ndarray, degrees: float = 20, mm: float = 20) -> bool:
    """Whether two poses are more than ``degrees`` or, at ``center``, ``mm`` apart."""
    apart = float(np.linalg.norm(apply(first, center) - apply(second, center)))
    return apart > mm or rotation_angle(first[:3, :3] @ second[:3, :3].T) > degrees
