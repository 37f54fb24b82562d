"""How exactly each measure alone registers displaced pairs, and what that costs.

As ``madreg register --measure NAME --init geometry``, without the estimate of the error that follows there.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from madreg.image.geometry import mean_displacement
from madreg.image.pair import Pair
from madreg.image.transform import Transform
from madreg.image.volume import Volume
from madreg.io.reading import read_volume
from madreg.measures import MEASURES
from madreg.network.weights import checked_card
from madreg.pipeline.initialization import initialization
from madreg.pipeline.single_measure import SingleMeasure
from madreg.progress import Monitor
from madreg_benchmark.cases.case import Case
from madreg_benchmark.cases.levels import LEVELS
from madreg_benchmark.cases.trial import make_trial
from madreg_benchmark.report.page import write_page
from madreg_benchmark.report.summary import share_right
from madreg_benchmark.report.tables import markdown, write_csv
from madreg_benchmark.studies.study import Setting, Study, collect

TRIALS = 1
LEVELS_OF = {
    "CT-T1": ("cut", "large", "affine", "crop"),
    **dict.fromkeys(("ADC-T2", "PD-T2"), ("small", "cut", "large")),
}
"""Levels by contrast, those of pelves last; others have the first two of CT-T1."""
SLOW = "mad-distance"
SLOW_LEVEL = ("cut", "CT-T1")
"""The slow measure is tried at this level of these contrasts; the folder ``measures`` has more of it."""


def levels_of(case: Case) -> tuple[str, ...]:
    """The levels of displacement of a case."""
    return LEVELS_OF.get(case.contrast, ("cut", "large"))


def _keys(setting: Setting) -> list[dict]:
    trials = 1 if setting.quick else TRIALS
    keys = [
        {"case": case.name, "contrast": case.contrast, "level": level, "trial": trial, "measure": measure}
        for trial in range(trials)
        for level in ("small", "cut", "large", "affine", "crop")
        for case in setting.cases
        for measure in MEASURES
        if level in levels_of(case) and (measure != SLOW or (level, case.contrast) == SLOW_LEVEL)
    ]
    keys.sort(key=lambda key: key["measure"] == SLOW)
    return keys[:3] if setting.quick else keys


def registered_alone(fixed: Volume, moving: Volume, stage: SingleMeasure, seed: int) -> tuple[np.ndarray, float]:
    """The 4x4 matrix at which the descent of a stage ends, from the centers of the scans, and its processor seconds."""
    start = time.process_time()
    pair = Pair(fixed, moving, seed)
    centered = initialization("geometry").run(pair, [Transform.identity()], Monitor(None))
    found = stage.run(pair, centered, Monitor(None))[0]
    return found.matrix, time.process_time() - start


def measure_alone(setting: Setting) -> list[dict]:
    """One row a case, level, trial and measure: mean errors in mm before and after, and processor seconds."""
    cases = {case.name: case for case in setting.cases}
    features = checked_card(bundled="mad-features.pt")["sha256"][:12]

    def make(key: dict) -> dict:
        with tempfile.TemporaryDirectory() as folder:
            trial = make_trial(cases[key["case"]], key["level"], key["trial"], Path(folder))
            fixed, moving = (read_volume(path)[0] for path in (trial.fixed, trial.moving))
        stage = SingleMeasure(key["measure"], "rigid" if LEVELS[key["level"]].rigid else "affine")
        matrix, seconds = registered_alone(fixed, moving, stage, setting.seed)
        return {
            "features": features,
            "before_mm": round(mean_displacement(np.eye(4), trial.truth, trial.points), 2),
            "error_mm": round(mean_displacement(matrix, trial.truth, trial.points), 3),
            "seconds": round(seconds, 2),
        }

    return collect(setting, "alone", _keys(setting), make)


HEADER = ["contrast", "level", "measure", "trials", "mean mm", "median mm", "worst mm", "under 5 mm", "median s"]


def summarized(rows: Sequence[dict]) -> list[list[str]]:
    """Lines for :data:`HEADER`."""
    lines = []
    contrasts = sorted({row["contrast"] for row in rows})
    for contrast in contrasts:
        for level in dict.fromkeys(row["level"] for row in rows if row["contrast"] == contrast):
            for measure in MEASURES:
                some = [r for r in rows if (r["contrast"], r["level"], r["measure"]) == (contrast, level, measure)]
                if not some:
                    continue
                error = np.array([row["error_mm"] for row in some])
                figures = [f"{value:.2f}" for value in (error.mean(), np.median(error), error.max())]
                seconds = f"{np.median([row['seconds'] for row in some]):.1f}"
                lines.append([contrast, level, measure, str(len(some)), *figures, share_right(error), seconds])
    return lines


def write_alone(rows: Sequence[dict], made_from: str, out: Path) -> str:
    """Write ``alone.csv`` (every trial) and ``alone.md`` into ``out``; return the table."""
    fields = ["contrast", "case", "level", "trial", "measure", "before_mm", "error_mm", "seconds"]
    write_csv(out / "alone.csv", fields, [[row[name] for name in fields] for row in rows])
    table = markdown(HEADER, summarized(rows))
    features = ", ".join(sorted({row["features"] for row in rows}))
    write_page(
        out / "alone.md",
        "# Each measure alone\n\nMean error over the fixed head after descent from the centers of the scans, and "
        f"processor seconds of the descent with all that is computed before it.\n\n{table}\n"
        f"Features {features}.  {made_from}\n",
    )
    return table


STUDY = Study("descent", lambda s: len(_keys(s)), measure_alone, write_alone)
