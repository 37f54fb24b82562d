"""Does the estimated error follow the true one?  Cases misaligned on purpose by 0 to 40 mm, and turned half round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from madreg.image.geometry import apply, mean_displacement
from madreg.image.points import sample_points
from madreg.quality.estimate import error_map, turned
from madreg_benchmark.plots import new_figure, save
from madreg_benchmark.predictions import misalignment
from madreg_benchmark.protocol import Case, trial_generator
from madreg_benchmark.studies import Setting, Study
from madreg_benchmark.tables import as_csv, markdown

LARGEST_MM = 40.0
JUDGED_MM = 20.0  # up to which the estimate is held against the truth
FAILED_MM = 5.0
VERDICTS = {"aligned": "#0072B2", "check": "#E69F00", "failed": "#D55E00"}


@dataclass(frozen=True)
class Judgement:
    """What is said of one misaligned pair.

    Attributes:
        true_mm, estimate_mm: mean error over the fixed content.
        map_correlation: Spearman's between the error map and the true local error; NaN where that hardly varies.
    """

    case: str
    contrast: str
    true_mm: float
    estimate_mm: float
    lead: float
    verdict: str
    map_correlation: float


def measure_estimates(
    cases: Sequence[Case], poses: int, seed: int, device: str, on_pose: Callable[[], object] = lambda: None
) -> list[Judgement]:
    """Judgements at ``poses`` misalignments of each case, evenly spread from 0 to :data:`LARGEST_MM`, and half turns.

    Raises:
        InputError: if a case cannot be used.
    """
    from madreg.io.reading import read_volume
    from madreg.pipeline.registration import judge
    from madreg.settings import Settings

    found = []
    for case in cases:
        fixed, moving = (read_volume(path)[0] for path in (case.fixed, case.moving))
        points = sample_points(fixed.resampled(4.0), 2000, seed).double().numpy()
        rng = trial_generator(case.name, "small", 2_000_000 + seed)
        wrong = [
            case.truth @ misalignment(LARGEST_MM * number / (poses - 1), points, rng) if number else case.truth
            for number in range(poses)
        ]
        poses_of_case = [*wrong, *turned(case.truth, points.mean(0))]
        judgements = judge(fixed, moving, poses_of_case, Settings(seed=seed, device=device))
        for pose, judged in zip(poses_of_case, judgements, strict=True):
            local = error_map(fixed, judged)
            at = np.argwhere(local.values > 0)
            there = apply(local.grid.matrix, at[:, ::-1])
            true = np.linalg.norm(apply(pose, there) - apply(case.truth, there), axis=1)
            varies = len(true) > 2 and np.ptp(true) > 1.0
            rank = float(stats.spearmanr(local.values[tuple(at.T)], true)[0]) if varies else np.nan
            found.append(
                Judgement(
                    case.name,
                    case.contrast,
                    mean_displacement(pose, case.truth, points),
                    judged.error_mm,
                    judged.lead,
                    judged.verdict,
                    rank,
                )
            )
            on_pose()
    return found


def area_under_curve(judgements: Sequence[Judgement]) -> float:
    """How well failures (over 5 mm) are told from successes: 1 perfectly, 0.5 by chance (Mann and Whitney's U)."""
    score = [(j.verdict == "failed") * 1000 + j.estimate_mm for j in judgements]
    failed = np.array([s for s, j in zip(score, judgements, strict=True) if j.true_mm > FAILED_MM])
    right = np.array([s for s, j in zip(score, judgements, strict=True) if j.true_mm <= FAILED_MM])
    if not len(failed) or not len(right):
        return np.nan
    return float(((failed[:, None] > right) + 0.5 * (failed[:, None] == right)).mean())


HEADER = [
    "contrast",
    "poses",
    f"mean difference to {JUDGED_MM:.0f} mm",
    "Spearman",
    "map, median Spearman",
    "area under the curve",
    *(f"{verdict}: poses, worst mm" for verdict in VERDICTS),
]


def by_contrast(judgements: Sequence[Judgement]) -> list[list[str]]:
    """Lines for :data:`HEADER`; half turns count for the area and the verdicts alone."""
    lines = []
    for contrast in ["all", *sorted({j.contrast for j in judgements})]:
        some = [j for j in judgements if contrast in ("all", j.contrast)]
        near = [j for j in some if j.true_mm <= LARGEST_MM + 1]
        close = [abs(j.estimate_mm - j.true_mm) for j in near if j.true_mm <= JUDGED_MM + 1e-6]
        maps = [j.map_correlation for j in near if np.isfinite(j.map_correlation)]
        counts = []
        for verdict in VERDICTS:
            errors = [j.true_mm for j in some if j.verdict == verdict]
            counts.append(f"{len(errors)}, {max(errors):.1f}" if errors else "0")
        lines.append(
            [
                contrast,
                str(len(some)),
                f"{np.mean(close):.2f}",
                f"{stats.spearmanr([j.estimate_mm for j in near], [j.true_mm for j in near])[0]:.3f}",
                f"{np.median(maps):.3f}" if maps else "",
                f"{area_under_curve(some):.3f}",
                *counts,
            ]
        )
    return lines


def draw(judgements: Sequence[Judgement]):
    """Figure: estimated against true error, coloured by verdict; half turns at the right end."""
    figure, (axes,) = new_figure(6.0, 5.4, 1)
    end = LARGEST_MM + 5
    for verdict, color in VERDICTS.items():
        some = [j for j in judgements if j.verdict == verdict]
        axes.scatter(
            [min(j.true_mm, end) for j in some],
            [min(j.estimate_mm, end) for j in some],
            s=14,
            color=color,
            label=verdict,
        )
    axes.plot([0, end], [0, end], color="0.5", linewidth=1, linestyle="--")
    axes.set(
        xlabel=f"true error, mm (turned half round: {end:.0f})",
        ylabel="estimated error, mm",
        xlim=(-1, end + 1),
        ylim=(-1, end + 1),
        aspect="equal",
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def write_estimates(judgements: Sequence[Judgement], made_from: str, out: Path) -> str:
    """Write ``estimates.csv`` (every pose), ``estimates.md`` and the plot into ``out``; return the table."""
    fields = ["case", "contrast", "true_mm", "estimate_mm", "lead", "verdict", "map_correlation"]
    rows = [
        [f"{value:.3f}" if isinstance(value := getattr(j, name), float) else value for name in fields]
        for j in judgements
    ]
    (out / "estimates.csv").write_text(as_csv(fields, rows))
    table = markdown(HEADER, by_contrast(judgements))
    save(draw(judgements), made_from, out / "estimates")
    (out / "estimates.md").write_text(
        f"# Estimated against true error\n\n{table}\n{made_from}\n\n"
        f"![Estimated against true error](estimates.png)\n\n{made_from}\n"
    )
    return table


def _poses(setting: Setting) -> int:
    return 5 if setting.quick else 17


STUDY = Study(
    "pose",
    lambda s: (_poses(s) + 3) * len(s.cases),
    lambda s: measure_estimates(s.cases, _poses(s), s.seed, s.device, s.on_unit),
    write_estimates,
)
