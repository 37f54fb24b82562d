"""Find the pose from anywhere: every rotation on a grid, every translation at once.

For each of some hundred rotations the moving image's structure tensors are rotated and correlated with the fixed
image's over all translations by FFT.  The tensor of a normalised gradient, ``n n^T``, does not know the sign of the
contrast, so the correlation of two tensor fields is the NGF similarity ``(n_F . n_M)^2`` of every translation.
Taking out the trace removes the part that only says "here is an edge of any direction".

Sources: NGF: Haber and Modersitzki 2006.  All translations of a gradient measure by FFT: Oefverstedt et al. 2021,
"Cross-Sim-NGF: FFT-based global rigid multimodal alignment of image volumes using normalized gradient fields"
(arXiv 2110.10156).  Rotations: Alexa 2022, "Super-Fibonacci spirals: fast, low-discrepancy sampling of SO(3)".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..image.geometry import apply, rotation_angle
from ..image.volume import Volume
from .correlation import Candidate, Correlation
from .rotations import neighbouring_rotations, super_fibonacci

SPACING, FINER_SPACING = 10.0, 6.0  # mm
SAMPLES = 10.0  # across the thinner volume, within these bounds
SMALL = (
    60.0  # mm, radius of gyration; of 12 stretched boxes of 110 mm and less out of heads, 10 mm find one pose, 6 mm ten
)
MIN_OVERLAP = 0.25  # of the smaller image's foreground that must lie in the other's field of view
COARSER = 1.7  # times the spacing: the lattice on which every rotation is tried
LIKELY = 40  # rotations that are tried again on the finer one
COUNT = 8  # candidates
EXPANDED = 8  # poses of which neighbours are tried
PLAUSIBLE = 0.08  # a candidate scores less below the best; of 128 tuning trials the right one never did by 0.02
NEIGHBOUR = 8.0  # degrees between a pose and its neighbours; the rotations of the spiral lie 15 to 30 apart


def search(
    fixed: Volume,
    moving: Volume,
    *,
    rotations: np.ndarray | None = None,
    spacing: float | None = None,
    likely: int = LIKELY,
    count: int = COUNT,
    min_overlap: float = MIN_OVERLAP,
    progress: Callable[[float], None] | None = None,
) -> list[Candidate]:
    """The best poses over all rotations and translations, best first.

    Every rotation is tried on a coarse lattice, the most likely ones again on a finer one, and there the neighbours of
    the best.

    Args:
        fixed, moving: the pair; where they lie in the world does not matter.
        rotations: (R, 3, 3), fixed directions to moving directions; 400 super-Fibonacci rotations by default.
        spacing: mm, of the finer correlation lattice; by default from 10 down to 6, the smaller the volumes
            and the thinner.
        likely: how many rotations are tried on the finer lattice.
        count: how many candidates to return at most; no two within 20 degrees and 20 mm of each other, and none that
            scores much below the best.
        min_overlap: share of the smaller image's foreground that must lie in the other's field of view.
        progress: called with the share done, may raise to stop.
    """
    if rotations is None:
        rotations = super_fibonacci(400)
    if spacing is None:
        small = (
            min(reduced.radius_of_gyration for reduced in (fixed.resampled(SPACING), moving.resampled(SPACING))) < SMALL
        )
        thickness = min(fixed.thickness, moving.thickness)
        spacing = FINER_SPACING if small else float(np.clip(thickness / SAMPLES, FINER_SPACING, SPACING))
    report_progress = progress or (lambda share: None)
    coarse = Correlation(fixed, moving, COARSER * spacing, min_overlap)
    scores = np.array([one.score for one in coarse.best(rotations, lambda share: report_progress(0.4 * share))])
    promising = rotations[np.argsort(-scores, kind="stable")[:likely]]
    fine = Correlation(fixed, moving, spacing, min_overlap)
    found = distinct(fine.best(promising, lambda share: report_progress(0.4 + 0.3 * share)), fine.fixed_center)[
        :EXPANDED
    ]
    around = neighbouring_rotations(NEIGHBOUR)
    rotated = [turn @ one.matrix[:3, :3] for one in found for turn in around]
    found += fine.best(np.array(rotated).reshape(-1, 3, 3), lambda share: report_progress(0.7 + 0.3 * share))
    candidates = distinct(found, fine.fixed_center)[:count]
    return [one for one in candidates if one.score > candidates[0].score - PLAUSIBLE]


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
