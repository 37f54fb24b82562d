"""Does the distance that the network predicts follow the true one?  Cases misaligned on purpose by 0 to 60 mm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from madreg.image.geometry import about, apply, mean_displacement
from madreg.image.volume import Volume
from madreg_benchmark.cases.case import Case
from madreg_benchmark.cases.levels import trial_generator
from madreg_benchmark.report.page import write_illustrated
from madreg_benchmark.report.plots import new_figure
from madreg_benchmark.report.tables import markdown, write_csv
from madreg_benchmark.studies.study import Setting, Study

LARGEST_MM = 60.0
BIN_MM = 5.0
_LARGEST_ANGLE = np.radians(45)
BY_CONTRAST = (
    "contrast",
    "poses",
    "patches",
    "MAE of patches, mm",
    "correlation of patches",
    "MAE of means, mm",
    "correlation of means",
)
"""Columns of :func:`by_contrast`."""


@dataclass(frozen=True)
class Pose:
    """The network's opinion of one misaligned pair.

    Attributes:
        case, contrast: which pair.
        predicted, true: (n,) mm, for every patch that lies in both scans.
    """

    case: str
    contrast: str
    predicted: np.ndarray
    true: np.ndarray


def misalignment(distance: float, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random rigid motion (4x4) about the middle of ``points`` that moves them by ``distance`` mm on average.

    Rotation and translation share the distance at random; the angle stays within 45 degrees.
    """
    center = points.mean(0)
    axis, direction = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
    angle = rng.uniform(0, _LARGEST_ANGLE) * distance / LARGEST_MM
    rotation = Rotation.from_rotvec(angle * axis).as_matrix()

    def motion(length: float) -> np.ndarray:
        return about(center, rotation, length * direction)

    low, high = 0.0, distance  # the mean displacement grows with the length of the translation
    if mean_displacement(motion(low), np.eye(4), points) > distance:
        scaled = 0.9 * angle * distance / mean_displacement(motion(low), np.eye(4), points)
        rotation = Rotation.from_rotvec(scaled * axis).as_matrix()
    while high - low > 1e-4:
        middle = (low + high) / 2
        if mean_displacement(motion(middle), np.eye(4), points) < distance:
            low = middle
        else:
            high = middle
    return motion((low + high) / 2)


class Predictor(Protocol):
    """What is evaluated: a distance in mm at each of some fixed points, made for one pair.

    Attributes:
        points: (n, 3) LPS mm, the middles of the fixed patches.
    """

    points: torch.Tensor

    def map(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """At a 4x4 matrix: predicted distances (n,) in mm, and which of them lie in both scans (n,) bool."""


def _mad(fixed: Volume, moving: Volume, seed: int) -> Predictor:
    from madreg.measures.mad import MAD

    return MAD(fixed, moving, seed=seed)


def measure_predictions(
    cases: Sequence[Case],
    poses: int,
    seed: int,
    device: str,
    on_pose: Callable[[], object] = lambda: None,
    predictor: Callable[[Volume, Volume, int], Predictor] = _mad,
) -> list[Pose]:
    """Predictions and truth at ``poses`` misalignments of each case, evenly spaced from 0 to :data:`LARGEST_MM`.

    Raises:
        InputError: if the weights or a case cannot be used.
    """
    from madreg.io.reading import read_volume
    from madreg.system import device as devices

    where = devices.choose(device)
    found = []
    for case in cases:
        fixed, moving = (read_volume(path)[0].to(where) for path in (case.fixed, case.moving))
        measure = predictor(fixed, moving, seed)
        rng = trial_generator(case.name, "small", 1_000_000 + seed)
        for number in range(poses):
            points = measure.points.cpu().numpy().astype(float)
            motion = misalignment(LARGEST_MM * (number + 0.5) / poses, points, rng)
            estimate = case.truth @ motion
            predicted, seen = measure.map(estimate)
            true = np.linalg.norm(apply(estimate, points) - apply(case.truth, points), axis=1)
            found.append(Pose(case.name, case.contrast, predicted[seen], true[seen]))
            on_pose()
    return found


def binned(predicted: np.ndarray, true: np.ndarray) -> list[dict]:
    """Number, mean absolute error, bias and median prediction in every bin of 5 mm of true distance, in mm."""
    lines = []
    for low in np.arange(0, LARGEST_MM, BIN_MM):
        some = (true >= low) & (true < low + BIN_MM)
        error = predicted[some] - true[some]
        lines.append(
            {
                "low": low,
                "count": int(some.sum()),
                "mae": float(np.abs(error).mean()) if some.any() else np.nan,
                "bias": float(error.mean()) if some.any() else np.nan,
                "median": float(np.median(predicted[some])) if some.any() else np.nan,
            }
        )
    return lines


def correlation(predicted: np.ndarray, true: np.ndarray) -> float:
    """Pearson's correlation; 0 if the prediction does not vary."""
    if len(true) < 2 or predicted.std() == 0 or true.std() == 0:
        return 0.0
    return float(np.corrcoef(predicted, true)[0, 1])


def patches_of(poses: Sequence[Pose]) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and true distances in mm at the patches of all poses."""
    return np.concatenate([p.predicted for p in poses]), np.concatenate([p.true for p in poses])


def _means(poses: Sequence[Pose]) -> tuple[np.ndarray, np.ndarray]:
    some = [p for p in poses if len(p.true)]
    return np.array([p.predicted.mean() for p in some]), np.array([p.true.mean() for p in some])


def by_contrast(poses: Sequence[Pose]) -> list[list[str]]:
    """Lines of :data:`BY_CONTRAST`: mean absolute error and correlation of patches, and of the means over poses."""
    lines = []
    for contrast in ["all", *sorted({p.contrast for p in poses})]:
        some = [p for p in poses if contrast in ("all", p.contrast)]
        patches, means = patches_of(some), _means(some)
        lines.append(
            [
                contrast,
                str(len(some)),
                str(len(patches[0])),
                f"{np.abs(patches[0] - patches[1]).mean():.2f}",
                f"{correlation(*patches):.3f}",
                f"{np.abs(means[0] - means[1]).mean():.2f}",
                f"{correlation(*means):.3f}",
            ]
        )
    return lines


def draw(poses: Sequence[Pose]):
    """Figure: every patch's prediction against its true distance, and the mean over each pose."""
    figure, (left, right) = new_figure(10.0, 4.8, 2)
    predicted, true = patches_of(poses)
    left.hexbin(
        true,
        predicted,
        gridsize=60,
        extent=(0, LARGEST_MM, 0, LARGEST_MM),
        bins="log",
        cmap="Blues",
        mincnt=1,
        linewidths=0,
    )
    bins = [b for b in binned(predicted, true) if b["count"]]
    left.plot(
        [b["low"] + BIN_MM / 2 for b in bins],
        [b["median"] for b in bins],
        "o-",
        color="black",
        markersize=4,
        label="median of 5 mm",
    )
    left.set(title="patches", ylabel="predicted distance, mm", xlabel="true distance, mm")
    colors = ["#D55E00", "#0072B2", "#009E73", "#E69F00", "#CC79A7", "#56B4E9"]
    for number, contrast in enumerate(sorted({p.contrast for p in poses})):
        mean_predicted, mean_true = _means([p for p in poses if p.contrast == contrast])
        right.scatter(mean_true, mean_predicted, s=14, color=colors[number % len(colors)], label=contrast)
    right.set(title="means over a pose", xlabel="true distance, mm")
    for axes in (left, right):
        axes.plot([0, LARGEST_MM], [0, LARGEST_MM], color="0.5", linewidth=1, linestyle="--")
        axes.set(xlim=(0, LARGEST_MM), ylim=(0, LARGEST_MM), aspect="equal")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def write_predictions(poses: Sequence[Pose], made_from: str, out: Path) -> str:
    """Write ``predictions.csv`` (bins), ``predictions_by_contrast.csv``, ``predictions.md`` and the plot into ``out``.

    Returns:
        Both tables in Markdown.
    """
    bin_header = ["true distance, mm", "patches", "MAE mm", "bias mm", "median predicted mm"]
    bin_lines = [
        [
            f"{b['low']:.0f} to {b['low'] + BIN_MM:.0f}",
            str(b["count"]),
            *(f"{b[key]:.2f}" if b["count"] else "" for key in ("mae", "bias", "median")),
        ]
        for b in binned(*patches_of(poses))
    ]
    lines = by_contrast(poses)
    write_csv(out / "predictions.csv", bin_header, bin_lines)
    write_csv(out / "predictions_by_contrast.csv", BY_CONTRAST, lines)
    tables = f"{markdown(bin_header, bin_lines)}\n{markdown(BY_CONTRAST, lines)}"
    write_illustrated(out / "predictions", "Predicted against true distance", tables, draw(poses), made_from)
    return tables


def _poses(setting: Setting) -> int:
    return 8 if setting.quick else 40


STUDY = Study(
    "pose",
    lambda s: _poses(s) * len(s.cases),
    lambda s: measure_predictions(s.cases, _poses(s), s.seed, s.device, s.on_unit),
    write_predictions,
)
