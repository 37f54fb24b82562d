"""The comparison of the MAD paper: which part of its result is the measure, and which the descent.

Each measure alone, at one resolution, from the present positions, without aligning centers.  NMI also in the form of
:mod:`madreg_benchmark.methods.published_nmi`, and descent also as plain gradient descent.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from madreg.descent.adam import adam
from madreg.descent.parameters import LinearTransform
from madreg.image.geometry import mean_displacement
from madreg.image.pair import SPACING, Pair
from madreg.io.reading import read_volume
from madreg.measures import MEASURES
from madreg.measures.base import Measure
from madreg.pipeline.single_measure import SCHEDULE
from madreg_benchmark.cases.levels import LEVELS
from madreg_benchmark.cases.trial import make_trial
from madreg_benchmark.methods.published_nmi import PublishedNMI, gradient_descent
from madreg_benchmark.report.page import write_page
from madreg_benchmark.report.summary import share_right
from madreg_benchmark.report.tables import markdown, write_csv
from madreg_benchmark.studies.study import Setting, Study, collect

RATES = {"nmi:paper": 1000.0, "nmi": 1000.0, "ngf": 300.0, "mad-distance": 10.0}
"""Of gradient descent, mm for a slope of 1 a mm: the best of a ladder by factors of 3 on three other CT-T1 pairs."""
DESCENTS = {"gradient": 1.0, "gradient, a third of the rate": 1 / 3, "adam": None}
"""The descents; of gradient descent the share of the rate."""
STEPS = 100
LARGE, AFFINE = "large", "affine"


def _keys(setting: Setting) -> list[dict]:
    keys = [
        {"case": case.name, "level": level, "trial": 0, "measure": measure, "descent": descent}
        for measure in RATES
        for case in setting.cases
        for level in (LARGE, AFFINE)
        for descent in DESCENTS
    ]
    return keys[:2] if setting.quick else keys


def measure_of(name: str, pair: Pair) -> Measure:
    """A measure of :data:`RATES` of a pair."""
    if name == PublishedNMI.name:
        return PublishedNMI(*pair.level(SPACING))
    volumes = (pair.fixed, pair.moving) if name.startswith("mad") else pair.level(SPACING)
    return MEASURES[name](*volumes, seed=pair.seed)


def descended(pair: Pair, measure: str, descent: str, kind: str, steps: int = STEPS) -> np.ndarray:
    """The 4x4 matrix at which a descent from the present positions ends."""
    transform = LinearTransform.over(pair.points, np.eye(4), kind)
    share = DESCENTS[descent]
    if share is not None:
        return gradient_descent(measure_of(measure, pair), transform, steps, share * RATES[measure])
    first, last = SCHEDULE.first_step, SCHEDULE.last_step
    return adam(measure_of(measure, pair), transform, steps=SCHEDULE.steps, first_step=first, last_step=last)[0][0]


def measure_published(setting: Setting) -> list[dict]:
    """One row a case, level, measure and descent: mean errors in mm before and after, and processor seconds."""
    cases = {case.name: case for case in setting.cases}

    def make(key: dict) -> dict:
        with tempfile.TemporaryDirectory() as folder:
            trial = make_trial(cases[key["case"]], key["level"], key["trial"], Path(folder))
            pair = Pair(read_volume(trial.fixed)[0], read_volume(trial.moving)[0], setting.seed)
        began, kind = time.process_time(), "rigid" if LEVELS[key["level"]].rigid else "affine"
        matrix = descended(pair, key["measure"], key["descent"], kind, 3 if setting.quick else STEPS)
        return {
            "before_mm": round(mean_displacement(np.eye(4), trial.truth, trial.points), 2),
            "error_mm": round(mean_displacement(matrix, trial.truth, trial.points), 3),
            "seconds": round(time.process_time() - began, 2),
        }

    return collect(setting, "published", _keys(setting), make)


HEADER = ["level", "descent", "measure", "trials", "before, mean mm", "mean mm", "worst mm", "under 5 mm", "MAD / this"]


def summarized(rows: Sequence[dict]) -> list[list[str]]:
    """Lines for :data:`HEADER`; the last is the mean error of MAD divided by that of the line."""
    lines = []
    for level in dict.fromkeys(row["level"] for row in rows):
        for descent in DESCENTS:
            some = [row for row in rows if (row["level"], row["descent"]) == (level, descent)]
            errors = {
                name: np.array([row["error_mm"] for row in some if row["measure"] == name])
                for name in dict.fromkeys(row["measure"] for row in some)
            }
            for name, error in errors.items():
                before = np.mean([row["before_mm"] for row in some if row["measure"] == name])
                ratio = f"{errors['mad-distance'].mean() / error.mean():.2f}" if "mad-distance" in errors else ""
                figures = [f"{value:.2f}" for value in (before, error.mean(), error.max())]
                lines.append([level, descent, name, str(len(error)), *figures, share_right(error), ratio])
    return lines


def write_published(rows: Sequence[dict], made_from: str, out: Path) -> str:
    """Write ``published.csv`` (every descent) and ``published.md`` into ``out``; return the table."""
    fields = ["case", "level", "trial", "measure", "descent", "before_mm", "error_mm", "seconds"]
    write_csv(out / "published.csv", fields, [[row[name] for name in fields] for row in rows])
    table = markdown(HEADER, summarized(rows))
    rates = ", ".join(f"{name} {rate:g}" for name, rate in RATES.items())
    write_page(
        out / "published.md",
        "# The comparison of the MAD paper\n\nMean error over the fixed head after descent on one measure from the "
        f"present positions, at one resolution.  Gradient descent: {STEPS} steps, rates {rates}.\n\n{table}\n"
        f"{made_from}\n",
    )
    return table


STUDY = Study("descent", lambda s: len(_keys(s)), measure_published, write_published)
