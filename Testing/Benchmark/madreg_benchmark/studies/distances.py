"""Do distances that blocks of MAD's features show follow the true ones?  Beside those that the network predicts.

Cases misaligned on purpose by 0 to 60 mm, as they are and with both fields of view cut at random, at the same patches.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from madreg.image.geometry import apply
from madreg.image.pair import Pair
from madreg.image.transform import Transform
from madreg.image.volume import Volume
from madreg.io.reading import read_volume
from madreg.quality.alternatives import Comparison
from madreg.quality.assessment import assess
from madreg.quality.quality import agreed_pose
from madreg.system import device as devices
from madreg_benchmark.cases.case import Case
from madreg_benchmark.cases.levels import trial_generator
from madreg_benchmark.cases.trial import make_trial
from madreg_benchmark.report.page import write_illustrated
from madreg_benchmark.report.plots import new_figure
from madreg_benchmark.report.tables import markdown, write_csv
from madreg_benchmark.studies.predictions import (
    BIN_MM,
    BY_CONTRAST,
    LARGEST_MM,
    Pose,
    binned,
    by_contrast,
    misalignment,
    patches_of,
)
from madreg_benchmark.studies.study import Setting, Study

VIEWS = ("whole", "cut")
PREDICTORS = ("features", "network")
OF_ITSELF = Comparison(1.0, None, -1.0)
"""What blocks show does not depend on other poses, and comparing these takes most of an assessment."""


@dataclass(frozen=True)
class Distances:
    """Distances in mm at the patches of a misaligned pair that lie in both scans.

    Attributes:
        view: of :data:`VIEWS`.
        found: (n,) by predictor.
        true: (n,).
    """

    case: str
    contrast: str
    view: str
    found: dict[str, np.ndarray]
    true: np.ndarray


def distances_shown(pair: Pair, pose: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Distances (n,) in mm of points (n, 3), LPS mm, at a pose (4, 4) from where the blocks agree that they belong.

    0 where the blocks show nothing.
    """
    quality = assess(pair, Transform(pose), comparison=OF_ITSELF)
    if quality is None or quality.motion_mm is None:
        return np.zeros(len(points))
    return np.linalg.norm(apply(agreed_pose(quality), points) - apply(pose, points), axis=1)


def measure_distances(
    cases: Sequence[Case], poses: int, seed: int, device: str, on_pose: Callable[[], object] = lambda: None
) -> list[Distances]:
    """Both at ``poses`` misalignments of each case and view, evenly spaced from 0 to :data:`LARGEST_MM`.

    Raises:
        InputError: if the weights or a case cannot be used.
    """
    from madreg.measures.mad import MAD

    where, done = devices.choose(device), []
    for case in cases:
        for view in VIEWS:
            fixed, moving, truth = _scans(case, view)
            pair = Pair(fixed.to(where), moving.to(where), seed)
            network = MAD(pair.fixed, pair.moving, seed=seed)
            points = network.points.cpu().numpy().astype(float)
            rng = trial_generator(case.name, "small", 1_000_000 + seed)
            for number in range(poses):
                pose = truth @ misalignment(LARGEST_MM * (number + 0.5) / poses, points, rng)
                predicted, seen = network.map(pose)
                found = {"features": distances_shown(pair, pose, points)[seen], "network": predicted[seen]}
                true = np.linalg.norm(apply(pose, points) - apply(truth, points), axis=1)[seen]
                done.append(Distances(case.name, case.contrast, view, found, true))
                on_pose()
    return done


def _scans(case: Case, view: str) -> tuple[Volume, Volume, np.ndarray]:
    """Fixed, moving and the true pose (4, 4)."""
    if view == "whole":
        return read_volume(case.fixed)[0], read_volume(case.moving)[0], case.truth
    with tempfile.TemporaryDirectory() as folder:
        trial = make_trial(case, "cut", 0, Path(folder))
        return read_volume(trial.fixed)[0], read_volume(trial.moving)[0], trial.truth


def poses_of(done: Sequence[Distances], view: str, predictor: str) -> list[Pose]:
    """What a predictor finds in a view, but for poses at which the scans have no patch in common."""
    some = [one for one in done if one.view == view and len(one.true)]
    return [Pose(one.case, one.contrast, one.found[predictor], one.true) for one in some]


def lines(done: Sequence[Distances]) -> list[list[str]]:
    """View, predictor, and a line of :func:`~madreg_benchmark.studies.predictions.by_contrast`."""
    kinds = {(view, predictor): poses_of(done, view, predictor) for view in VIEWS for predictor in PREDICTORS}
    return [[*kind, *line] for kind, poses in kinds.items() if poses for line in by_contrast(poses)]


def draw(done: Sequence[Distances]):
    """Figure: the mean absolute error against the true distance, of each predictor, for each view."""
    figure, panels = new_figure(9.0, 3.6, len(VIEWS))
    for axes, view in zip(panels, VIEWS, strict=True):
        for predictor, color in zip(PREDICTORS, ("#0072B2", "#D55E00"), strict=True):
            poses = poses_of(done, view, predictor)
            if not poses:
                continue
            bins = [b for b in binned(*patches_of(poses)) if b["count"]]
            axes.plot(
                [b["low"] + BIN_MM / 2 for b in bins], [b["mae"] for b in bins], "o-", color=color, label=predictor
            )
        axes.set(title=f"{view} fields of view", xlabel="true distance, mm", ylim=(0, None))
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    panels[0].set_ylabel("mean absolute error, mm")
    return figure


def write_distances(done: Sequence[Distances], made_from: str, out: Path) -> str:
    """Write ``distances.csv``, ``distances.md`` and the plot into ``out``; returns the table in Markdown."""
    header = ["fields of view", "distances by", *BY_CONTRAST]
    made = lines(done)
    write_csv(out / "distances.csv", header, made)
    table = markdown(header, made)
    write_illustrated(out / "distances", "Shown and predicted against true distances", table, draw(done), made_from)
    return table


def _poses(setting: Setting) -> int:
    return 2 if setting.quick else 20


STUDY = Study(
    "pose",
    lambda s: _poses(s) * len(VIEWS) * len(s.cases),
    lambda s: measure_distances(s.cases, _poses(s), s.seed, s.device, s.on_unit),
    write_distances,
)
