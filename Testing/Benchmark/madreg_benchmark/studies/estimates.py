"""Does the estimated error follow the true one?  Cases misaligned by 0 to 40 mm, and flipped by 180 degrees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from madreg.image.geometry import apply, mean_displacement
from madreg.image.points import sample_points
from madreg.image.transform import Transform
from madreg.quality.error_map import ErrorMap, error_map
from madreg.quality.flips import flipped_poses
from madreg_benchmark.cases.case import Case
from madreg_benchmark.cases.levels import trial_generator
from madreg_benchmark.report.page import write_illustrated
from madreg_benchmark.report.plots import new_figure
from madreg_benchmark.report.tables import markdown, write_csv
from madreg_benchmark.studies.predictions import misalignment
from madreg_benchmark.studies.study import Setting, Study

LARGEST_MM = 40.0
COMPARED_MM = 20.0  # up to which the estimate is held against the truth
FAILED_MM = 5.0
VERDICTS = {"aligned": "#0072B2", "check": "#E69F00", "failed": "#D55E00"}


@dataclass(frozen=True)
class Assessment:
    """What is said of one misaligned pair.

    Attributes:
        true_mm, estimate_mm: mean error over the fixed foreground; the estimate is NaN where it is unknown.
        map_correlation: Spearman's between the error map and the true local error; NaN where that hardly varies.
    """

    case: str
    contrast: str
    true_mm: float
    estimate_mm: float
    margin: float
    verdict: str
    map_correlation: float


def measure_estimates(
    cases: Sequence[Case], poses: int, seed: int, device: str, on_pose: Callable[[], object] = lambda: None
) -> list[Assessment]:
    """Assessments at ``poses`` misalignments of each case, evenly spaced from 0 to :data:`LARGEST_MM`, and flipped.

    Raises:
        InputError: if a case cannot be used.
    """
    from madreg.io.reading import read_volume
    from madreg.pipeline.assessment import assess_all
    from madreg.settings import Settings

    found = []
    for case in cases:
        fixed, moving = (read_volume(path)[0] for path in (case.fixed, case.moving))
        points = sample_points(fixed.resampled(4.0), 2000, seed).double().numpy()
        poses_of_case = _poses_of(case, points, poses, seed)
        transforms = [Transform(pose) for pose in poses_of_case]
        assessments = assess_all(fixed, moving, transforms, Settings(seed=seed, device=device))
        for pose, quality in zip(poses_of_case, assessments, strict=True):
            found.append(
                Assessment(
                    case.name,
                    case.contrast,
                    mean_displacement(pose, case.truth, points),
                    np.nan if quality.error_mm is None else quality.error_mm,
                    quality.margin,
                    quality.verdict,
                    _map_correlation(error_map(fixed, quality), pose, case.truth),
                )
            )
            on_pose()
    return found


def _poses_of(case: Case, points: np.ndarray, count: int, seed: int) -> list[np.ndarray]:
    """The poses (4, 4) of a case: misaligned by ever more over points (n, 3), LPS mm, and its 180-degree flips."""
    rng = trial_generator(case.name, "small", 2_000_000 + seed)
    wrong = [
        case.truth @ misalignment(LARGEST_MM * number / (count - 1), points, rng) if number else case.truth
        for number in range(count)
    ]
    return [*wrong, *flipped_poses(case.truth, points.mean(0))]


def _map_correlation(local: ErrorMap, pose: np.ndarray, truth: np.ndarray) -> float:
    """Rank correlation of the estimated local errors of a pose (4, 4) with the true ones; NaN if these hardly vary."""
    at = np.argwhere(local.values > 0)
    there = apply(local.grid.matrix, at[:, ::-1])
    true = np.linalg.norm(apply(pose, there) - apply(truth, there), axis=1)
    varies = len(true) > 2 and np.ptp(true) > 1.0
    return float(stats.spearmanr(local.values[tuple(at.T)], true)[0]) if varies else np.nan


def _suspicion(one: Assessment) -> float:
    """What sorts assessments from good to bad: the estimate, an unknown one last, and failed ones after all others."""
    return (one.verdict == "failed") * 1000 + (500.0 if np.isnan(one.estimate_mm) else one.estimate_mm)


def area_under_curve(assessments: Sequence[Assessment]) -> float:
    """How well failures (over 5 mm) are distinguished from successes: 1 perfectly, 0.5 by chance."""
    score = [_suspicion(one) for one in assessments]
    failed = np.array([s for s, one in zip(score, assessments, strict=True) if one.true_mm > FAILED_MM])
    right = np.array([s for s, one in zip(score, assessments, strict=True) if one.true_mm <= FAILED_MM])
    if not len(failed) or not len(right):
        return np.nan
    return float(stats.mannwhitneyu(failed, right).statistic) / (len(failed) * len(right))


HEADER = [
    "contrast",
    "poses",
    f"mean difference to {COMPARED_MM:.0f} mm",
    "Spearman",
    "map, median Spearman",
    "area under the curve",
    *(f"{verdict}: poses, worst mm" for verdict in VERDICTS),
    "error unknown: poses",
]


def by_contrast(assessments: Sequence[Assessment]) -> list[list[str]]:
    """Lines for :data:`HEADER`; 180-degree flips count for the area and the verdicts alone."""
    lines = []
    for contrast in ["all", *sorted({one.contrast for one in assessments})]:
        some = [one for one in assessments if contrast in ("all", one.contrast)]
        unknown = sum(np.isnan(one.estimate_mm) for one in some)
        near = [one for one in some if one.true_mm <= LARGEST_MM + 1 and not np.isnan(one.estimate_mm)]
        close = [abs(one.estimate_mm - one.true_mm) for one in near if one.true_mm <= COMPARED_MM + 1e-6]
        maps = [one.map_correlation for one in near if np.isfinite(one.map_correlation)]
        counts = []
        for verdict in VERDICTS:
            errors = [one.true_mm for one in some if one.verdict == verdict]
            counts.append(f"{len(errors)}, {max(errors):.1f}" if errors else "0")
        lines.append(
            [
                contrast,
                str(len(some)),
                f"{np.mean(close):.2f}",
                f"{stats.spearmanr([one.estimate_mm for one in near], [one.true_mm for one in near])[0]:.3f}",
                f"{np.median(maps):.3f}" if maps else "",
                f"{area_under_curve(some):.3f}",
                *counts,
                str(unknown),
            ]
        )
    return lines


def draw(assessments: Sequence[Assessment]):
    """Figure: estimated against true error, coloured by verdict; 180-degree flips at the right end."""
    figure, (axes,) = new_figure(6.0, 5.4, 1)
    end = LARGEST_MM + 5
    for verdict, color in VERDICTS.items():
        some = [one for one in assessments if one.verdict == verdict]
        axes.scatter(
            [min(one.true_mm, end) for one in some],
            [min(one.estimate_mm, end) for one in some],
            s=14,
            color=color,
            label=verdict,
        )
    axes.plot([0, end], [0, end], color="0.5", linewidth=1, linestyle="--")
    axes.set(
        xlabel=f"true error, mm (180-degree flip: {end:.0f})",
        ylabel="estimated error, mm",
        xlim=(-1, end + 1),
        ylim=(-1, end + 1),
        aspect="equal",
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def write_estimates(assessments: Sequence[Assessment], made_from: str, out: Path) -> str:
    """Write ``estimates.csv`` (every pose), ``estimates.md`` and the plot into ``out``; return the table."""
    fields = ["case", "contrast", "true_mm", "estimate_mm", "margin", "verdict", "map_correlation"]
    rows = [
        [f"{value:.3f}" if isinstance(value := getattr(one, name), float) else value for name in fields]
        for one in assessments
    ]
    write_csv(out / "estimates.csv", fields, rows)
    table = markdown(HEADER, by_contrast(assessments))
    write_illustrated(out / "estimates", "Estimated against true error", table, draw(assessments), made_from)
    return table


def _poses(setting: Setting) -> int:
    return 3 if setting.quick else 17


STUDY = Study(
    "pose",
    lambda s: (_poses(s) + 3) * len(s.cases),
    lambda s: measure_estimates(s.cases, _poses(s), s.seed, s.device, s.on_unit),
    write_estimates,
)
