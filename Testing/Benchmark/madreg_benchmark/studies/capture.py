"""From how far does gradient descent converge?  Each measure alone, started ever farther off along single axes.

The optimizer, the samples and the number of steps are those of ``madreg register --measure``.  The step lengths are
not: there they fall from 4 mm and add up to 73 mm (52 degrees for a head), and no start farther away could converge
whatever the measure.  Here they fall from 12 mm and add up to 179 mm (126 degrees).  ``mad:matches`` begins where
matches of MAD's features and of its network lead, too, as ``madreg register --measure mad`` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from madreg.descent.adam import adam
from madreg.descent.evaluation import evaluate
from madreg.descent.parameters import LinearTransform
from madreg.measures import MEASURES
from madreg.measures.base import Measure
from madreg.pipeline.single_measure import SCHEDULE
from madreg.pose.matches import align
from madreg_benchmark.report.page import write_illustrated
from madreg_benchmark.report.plots import new_figure, style
from madreg_benchmark.report.tables import markdown, write_csv
from madreg_benchmark.studies.axes import KINDS, Pair, pairs_of
from madreg_benchmark.studies.study import Setting, Study, collect

WITH_MATCHES = "mad:matches"
METHODS = (*MEASURES, WITH_MATCHES)
FIRST_STEP = 12.0
CONVERGED_MM = 5.0
# heads are nearly symmetric about the plane x = 0, so some directions stand for two; the most informative come first
DIRECTIONS = (
    ("translation", "+x"),
    ("rotation", "+z"),
    ("translation", "+z"),
    ("rotation", "+x"),
    ("translation", "+y"),
    ("rotation", "+y"),
    ("translation", "-z"),
    ("rotation", "-x"),
    ("translation", "-y"),
)
LADDERS = {"translation": (20, 40, 60, 80, 100, 120, 140, 160), "rotation": (20, 40, 60, 80, 100, 120, 140, 160, 180)}
FIRST_RUNG = 2


def reached(converges, ladder: Sequence[float], first: int = FIRST_RUNG) -> float:
    """The highest rung of a ladder from which descent converges; 0 if it does from none.

    The climb begins at rung number ``first``: upwards while descent converges, or else downwards until it does.
    What lies beyond the first failure is not tried.
    """
    rung = min(first, len(ladder) - 1)
    if converges(ladder[rung]):
        while rung + 1 < len(ladder) and converges(ladder[rung + 1]):
            rung += 1
        return ladder[rung]
    return next((ladder[n] for n in range(rung - 1, -1, -1) if converges(ladder[n])), 0)


def descend(pair: Pair, method: str, start: np.ndarray, steps: int = SCHEDULE.steps) -> float:
    """Error in mm after minimizing one measure from a 4x4 matrix; :data:`WITH_MATCHES` does so from where matches lead,
    too, where the measure is lower there."""
    measure = pair.measures["mad" if method == WITH_MATCHES else method]
    pose, value = _descended(pair, measure, start, steps)
    if method == WITH_MATCHES:
        led = np.stack([pair.matches.settle(start), align(pair.measures["mad-distance"], start)[0]])
        values = evaluate(measure, led)
        if values.min() < value:
            pose, _ = _descended(pair, measure, led[int(values.argmin())], steps)
    return pair.error(pose)


def _descended(pair: Pair, measure: Measure, start: np.ndarray, steps: int) -> tuple[np.ndarray, float]:
    """The 4x4 matrix at which a descent ends, and its value."""
    transform = LinearTransform.over(pair.points, start)
    found, values = adam(measure, transform, steps=steps, first_step=FIRST_STEP, last_step=SCHEDULE.last_step)
    return found[0], float(values[0])


def _keys(setting: Setting) -> list[dict]:
    return [
        {"case": case.name, "kind": kind, "direction": direction, "measure": measure}
        for kind, direction in (DIRECTIONS[:2] if setting.quick else DIRECTIONS)
        for case in setting.cases
        for measure in METHODS
    ]


def measure_capture(setting: Setting) -> list[dict]:
    """One row a case, measure and direction: the reach, in mm or degrees, and the error in mm from every start tried.

    Raises:
        InputError: if a case or the rows of an earlier run cannot be used.
    """
    pairs = pairs_of(setting.cases, setting.seed, setting.device)

    def make(key: dict) -> dict:
        pair = pairs[key["case"]]
        sign, axis = key["direction"]
        errors: dict[str, float] = {}

        def converges(amount: float) -> bool:
            start = pair.along(key["kind"], axis, float(f"{sign}{amount}"))
            errors[str(amount)] = round(descend(pair, key["measure"], start, 2 if setting.quick else SCHEDULE.steps), 3)
            return errors[str(amount)] < CONVERGED_MM

        ladder = LADDERS[key["kind"]][:1] if setting.quick else LADDERS[key["kind"]]
        return {"contrast": pair.case.contrast, "reach": reached(converges, ladder), "errors": errors}

    return collect(setting, "capture", _keys(setting), make)


HEADER = [
    "case",
    "measure",
    *(f"{kind}, {unit}: {what}" for kind, unit in KINDS.items() for what in ("mean reach", "least", "by direction")),
    "median error where converged, mm",
]


def by_case(rows: Sequence[dict]) -> list[list[str]]:
    """Lines for :data:`HEADER`, at the end over all cases."""
    cases = list(dict.fromkeys(row["case"] for row in rows))
    lines = []
    for case in [*cases, *(["all"] if len(cases) > 1 else [])]:
        for measure in dict.fromkeys(row["measure"] for row in rows):
            line = [case, measure]
            both = [row for row in rows if case in ("all", row["case"]) and row["measure"] == measure]
            for kind in KINDS:
                some = [row for row in both if row["kind"] == kind]
                reach = [row["reach"] for row in some]
                single = "" if case == "all" else " ".join(f"{row['direction']} {row['reach']:g}" for row in some)
                line += [f"{np.mean(reach):.0f}", f"{min(reach):g}", single] if some else ["", "", ""]
            converged = [error for row in both for error in row["errors"].values() if error < CONVERGED_MM]
            lines.append([*line, f"{np.median(converged):.2f}" if converged else ""])
    return lines


def draw(rows: Sequence[dict]):
    """Figure: mean reach of each measure over the directions, a dot for every direction of every case."""
    figure, panels = new_figure(8.0, 4.0, 2, sharey=False)
    measures = list(dict.fromkeys(row["measure"] for row in rows))
    cases = list(dict.fromkeys(row["case"] for row in rows))
    width = 0.85 / len(measures)
    for axes, (kind, unit) in zip(panels, KINDS.items(), strict=True):
        for number, measure in enumerate(measures):
            for place, case in enumerate(cases):
                reach = np.array(
                    [
                        row["reach"]
                        for row in rows
                        if row["measure"] == measure and row["kind"] == kind and row["case"] == case
                    ]
                )
                if not len(reach):
                    continue
                x = place + (number - (len(measures) - 1) / 2) * width
                axes.bar(
                    x,
                    reach.mean(),
                    0.93 * width,
                    color=style(measure)["color"],
                    alpha=0.6,
                    label=measure if place == 0 else None,
                )
                axes.plot(x + width * np.linspace(-0.3, 0.3, len(reach)), reach, "o", color="black", markersize=2.5)
        axes.set_xticks(range(len(cases)), cases, fontsize=8)
        axes.set(title=kind, ylabel=f"reach, {unit}", ylim=(0, max(LADDERS[kind]) + 5))
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=5, frameon=False, fontsize=8
    )
    return figure


def write_capture(rows: Sequence[dict], made_from: str, out: Path) -> str:
    """Write ``capture.csv``, ``capture.md`` and the plot into ``out``; return the table."""
    lines = by_case(rows)
    write_csv(out / "capture.csv", HEADER, lines)
    table = markdown(HEADER, lines)
    text = (
        f"{table}\nConverged: a mean error under {CONVERGED_MM:g} mm at the end.  Reach: the largest displacement "
        "tried, along or about one axis, from which descent converges; rungs "
        f"{LADDERS['translation']} mm and {LADDERS['rotation']} degrees.  x is to the left, y to the back, z upwards."
    )
    title = "Capture range: from how far gradient descent converges"
    write_illustrated(out / "capture", title, text, draw(rows), made_from)
    return table


STUDY = Study("direction", lambda s: len(_keys(s)), measure_capture, write_capture)
