"""What the measures look like around the true pose: along and about every axis, and over one cut in two dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from madreg.descent.evaluation import evaluate
from madreg.measures import MEASURES
from madreg_benchmark.report.page import write_page
from madreg_benchmark.report.plots import new_figure, save, style
from madreg_benchmark.report.tables import markdown, write_csv
from madreg_benchmark.studies.axes import AXES, KINDS, pairs_of
from madreg_benchmark.studies.study import Setting, Study, collect

FARTHEST = {"translation": 100.0, "rotation": 180.0}
CUT = "translation x, rotation z"
NEAR = 10.0  # mm or degrees from the true pose within which a minimum is taken for it


def _samples(kind: str, setting: Setting, cut: bool = False) -> np.ndarray:
    """Amounts from end to end, the true pose in the middle: every 5 mm or 10 degrees, in the cut 12.5 mm or 20."""
    step = {"translation": 12.5 if cut else 5.0, "rotation": 20.0 if cut else 10.0}[kind]
    count = 2 if setting.quick else round(FARTHEST[kind] / step)
    return np.linspace(-FARTHEST[kind], FARTHEST[kind], 2 * count + 1)


def basin(amounts: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Ends of the monotone basin: all around the minimum, every sample farther out is higher than the one before.

    The minimum is the lowest sample within :data:`NEAR` of 0.  The ends are samples; NaN ends the basin.
    """
    near = np.flatnonzero(np.abs(amounts) <= NEAR)
    bottom = near[np.argmin(values[near])]
    left = right = int(bottom)
    while right + 1 < len(values) and values[right + 1] > values[right]:
        right += 1
    while left > 0 and values[left - 1] > values[left]:
        left -= 1
    return float(amounts[left]), float(amounts[right])


def half_width(amounts: np.ndarray, values: np.ndarray) -> float:
    """Width of the basin around the true pose at half of its height: from the minimum near 0 to the highest value."""
    near = np.flatnonzero(np.abs(amounts) <= NEAR)
    bottom = near[np.argmin(values[near])]
    level = (values[bottom] + values.max()) / 2
    ends = []
    for step in (-1, 1):
        at = bottom
        while 0 <= at + step < len(values) and values[at] < level:
            at += step
        before = at - step
        share = (level - values[before]) / max(values[at] - values[before], 1e-12) if values[at] > level else 1.0
        ends.append(amounts[before] + share * (amounts[at] - amounts[before]))
    return float(ends[1] - ends[0])


def _keys(setting: Setting) -> list[dict]:
    cuts = [*(f"{kind} {axis}" for kind in KINDS for axis in AXES), CUT]
    return [
        {"case": case.name, "measure": measure, "cut": cut}
        for case in setting.cases
        for cut in cuts
        for measure in MEASURES
    ]


def measure_landscapes(setting: Setting) -> list[dict]:
    """One row a case, measure and axis (or :data:`CUT`): the amounts in mm or degrees and the values there.

    Raises:
        InputError: if a case or the rows of an earlier run cannot be used.
    """
    pairs = pairs_of(setting.cases, setting.seed, setting.device)

    def make(key: dict) -> dict:
        pair = pairs[key["case"]]
        if key["cut"] == CUT:
            across, about = (_samples(kind, setting, cut=True) for kind in ("translation", "rotation"))
            poses = [
                pair.displaced(translation=(x, 0.0, 0.0), rotation=(0.0, 0.0, angle)) for angle in about for x in across
            ]
            amounts = {"translation": across.tolist(), "rotation": about.tolist()}
        else:
            kind, axis = key["cut"].split()
            amounts = {kind: _samples(kind, setting).tolist()}
            poses = [pair.along(kind, axis, amount) for amount in amounts[kind]]
        measure = pair.measures[key["measure"]]
        values = np.concatenate([evaluate(measure, np.stack(poses[n : n + 20])) for n in range(0, len(poses), 20)])
        return {"contrast": pair.case.contrast, "amounts": amounts, "values": [round(float(v), 6) for v in values]}

    return collect(setting, "landscapes", _keys(setting), make)


HEADER = [
    "case",
    "measure",
    *(f"{kind} {axis}, {unit}" for kind, unit in KINDS.items() for axis in AXES),
    *(f"mean {kind}, {unit}" for kind, unit in KINDS.items()),
    *(f"at half height, {kind}, {unit}" for kind, unit in KINDS.items()),
]


def widths(rows: Sequence[dict]) -> list[list[str]]:
    """Lines for :data:`HEADER`: the width of the monotone basin along every axis, and means."""
    lines = []
    for case in dict.fromkeys(row["case"] for row in rows):
        for measure in dict.fromkeys(row["measure"] for row in rows):
            found: dict[str, list[float]] = {kind: [] for kind in KINDS}
            half: dict[str, list[float]] = {kind: [] for kind in KINDS}
            for row in rows:
                kind = row["cut"].split()[0]
                if row["case"] == case and row["measure"] == measure and row["cut"] != CUT:
                    curve = np.array(row["amounts"][kind]), np.array(row["values"])
                    low, high = basin(*curve)
                    found[kind].append(high - low)
                    half[kind].append(half_width(*curve))
            lines.append(
                [
                    case,
                    measure,
                    *(f"{width:g}" for kind in KINDS for width in found[kind]),
                    *(f"{np.mean(some[kind]):.0f}" for some in (found, half) for kind in KINDS),
                ]
            )
    return lines


def _ranges(rows: Sequence[dict]) -> dict[tuple[str, str], tuple[float, float]]:
    """Lowest and highest value of each measure on each case, over all cuts."""
    values: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        values.setdefault((row["case"], row["measure"]), []).extend(row["values"])
    return {key: (min(some), max(some)) for key, some in values.items()}


def draw_axes(rows: Sequence[dict]):
    """Figure: cases below each other, axes beside each other; every measure from its lowest to its highest value."""
    cases, cuts = (list(dict.fromkeys(row[field] for row in rows if row["cut"] != CUT)) for field in ("case", "cut"))
    figure, panels = new_figure(2.2 * len(cuts), 0.7 + 2.0 * len(cases), len(cuts), len(cases))
    ranges = _ranges(rows)
    for row in rows:
        if row["cut"] == CUT:
            continue
        place = cases.index(row["case"]), cuts.index(row["cut"])
        axes, (kind,) = panels[place[0] * len(cuts) + place[1]], row["amounts"]
        low, high = ranges[row["case"], row["measure"]]
        axes.plot(
            row["amounts"][kind],
            (np.array(row["values"]) - low) / max(high - low, 1e-12),
            linewidth=1.2,
            color=style(row["measure"])["color"],
            label=row["measure"],
        )
        axes.axvline(0, color="0.8", linewidth=0.7, zorder=0)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(row["cut"] if place[0] == 0 else "", fontsize=9)
        axes.set_xlabel(KINDS[kind] if place[0] == len(cases) - 1 else "", fontsize=8)
        axes.set_ylabel(row["case"] if place[1] == 0 else "", fontsize=8)
    panels[0].legend(frameon=False, fontsize=7)
    return figure


def draw_cut(rows: Sequence[dict]):
    """Figure: cases below each other, measures beside each other; dark is low, the cross is the true pose."""
    some = [row for row in rows if row["cut"] == CUT]
    cases, measures = (list(dict.fromkeys(row[field] for row in some)) for field in ("case", "measure"))
    figure, panels = new_figure(2.6 * len(measures), 0.7 + 2.4 * len(cases), len(measures), len(cases))
    for row in some:
        place = cases.index(row["case"]), measures.index(row["measure"])
        axes = panels[place[0] * len(measures) + place[1]]
        across, about = row["amounts"]["translation"], row["amounts"]["rotation"]
        axes.contourf(across, about, np.array(row["values"]).reshape(len(about), len(across)), 16, cmap="viridis")
        axes.plot(0, 0, "+", color="white", markersize=8)
        axes.tick_params(labelsize=7)
        axes.set_title(row["measure"] if place[0] == 0 else "", fontsize=9)
        axes.set_xlabel("translation x, mm" if place[0] == len(cases) - 1 else "", fontsize=8)
        axes.set_ylabel(f"{row['case']}\nrotation z, degrees" if place[1] == 0 else "", fontsize=8)
    return figure


def write_landscapes(rows: Sequence[dict], made_from: str, out: Path) -> str:
    """Write ``landscapes.csv``, ``landscapes.md`` and the plots into ``out``; return the table of widths."""
    lines = widths(rows)
    write_csv(out / "landscapes.csv", HEADER, lines)
    table = markdown(HEADER, lines)
    save(draw_axes(rows), made_from, out / "landscapes")
    save(draw_cut(rows), made_from, out / "landscapes_cut")
    write_page(
        out / "landscapes.md",
        "# Landscapes: each measure around the true pose\n\n"
        "Width of the monotone basin around the true pose: within it every sample farther out is higher.  There is a "
        "sample every 5 mm and every 10 degrees; x is to the left, y to the back, z upwards.  At half height: width of "
        "the basin where the measure has risen by half of what it rises by along that axis, mean of three axes.\n\n"
        f"{table}\n{made_from}\n\n![Along and about the axes](landscapes.png)\n\n{made_from}\n\n"
        f"![Translation along x and rotation about z](landscapes_cut.png)\n\n{made_from}\n",
    )
    return table


STUDY = Study("curve", lambda s: len(_keys(s)), measure_landscapes, write_landscapes)
