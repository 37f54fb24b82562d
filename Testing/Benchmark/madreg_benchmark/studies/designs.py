"""Why the shipped search?  Designs of a global pose search side by side, and orders in which to try its candidates.

Every design (:mod:`madreg_benchmark.methods.search_designs`) gets the same displaced pairs.  What counts is where the
first right pose stands among its candidates, and what finding them took.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from madreg.image.geometry import mean_displacement
from madreg.image.pair import reduced
from madreg.image.volume import Volume
from madreg.io.reading import read_volume
from madreg.pose.search import COARSE, COUNT, FINE, SEEDS
from madreg.system import device as devices
from madreg_benchmark.cases.trial import Trial, make_trial
from madreg_benchmark.methods.search_designs import COARSER, DESIGNS, LIKELY, ORDERS, SHIPPED, SPACING, ordered
from madreg_benchmark.report.page import write_page
from madreg_benchmark.report.plots import new_figure, save
from madreg_benchmark.report.tables import markdown, write_csv
from madreg_benchmark.studies.study import Setting, Study, collect

LEVELS = ("any", "anycrop", "affine")
# A 180-degree flip is off by 60 mm or more, and what is right is refined later; nearer than NEAR_MM a grid of rotations
# gets by chance only.
RIGHT_MM, NEAR_MM = 25.0, 15.0
FIRST_FEW = 3  # candidates that the pipeline refines further


def rank(row: dict, limit: float = RIGHT_MM, order: Sequence[int] | None = None) -> int | None:
    """Place, counted from 1, of a row's first candidate with an error below a limit in mm; None if there is none.

    Args:
        order: indices of the candidates, if not their own order.
    """
    errors = row["errors"] if order is None else [row["errors"][number] for number in order]
    return next((place for place, error in enumerate(errors, 1) if error < limit), None)


def _keys(setting: Setting) -> list[dict]:
    return [
        {"case": case.name, "level": level, "design": design}
        for level in (LEVELS[:1] if setting.quick else LEVELS)
        for case in setting.cases
        for design in DESIGNS
    ]


def volumes_of(trial: Trial, device: str) -> tuple[Volume, Volume]:
    """Both scans as the pipeline hands them to its search, foreground found."""
    where = devices.choose(device)
    pair = tuple(reduced(read_volume(path)[0].to(where)) for path in (trial.fixed, trial.moving))
    for one in pair:
        one.foreground  # noqa: B018  is kept, and must not count as the time of the first design
    return pair


def measure_designs(setting: Setting) -> list[dict]:
    """One row a case, level and design: errors in mm of its candidates in their order, and processor seconds; of the
    shipped one also every other order of them.

    Raises:
        InputError: if a case or the rows of an earlier run cannot be used.
    """
    cases = {case.name: case for case in setting.cases}
    with TemporaryDirectory(prefix="madreg-benchmark-") as folder:

        @lru_cache(maxsize=1)  # all designs of a trial follow each other
        def displaced(case: str, level: str) -> tuple[Trial, tuple[Volume, Volume]]:
            trial = make_trial(cases[case], level, 0, Path(folder))
            return trial, volumes_of(trial, setting.device)

        def make(key: dict) -> dict:
            trial, pair = displaced(key["case"], key["level"])
            design = DESIGNS[key["design"]]
            rotations = design.few if setting.quick else design.rotations
            start = time.process_time()
            poses = design.find(*pair, rotations)
            row = {
                "contrast": cases[key["case"]].contrast,
                "rotations": rotations,
                "seconds": round(time.process_time() - start, 2),
                "errors": [round(mean_displacement(pose, trial.truth, trial.points), 2) for pose in poses],
            }
            if key["design"] == SHIPPED and poses:
                row["orders"] = {name: ordered(name, *pair, poses) for name in ORDERS}
            return row

        return collect(setting, "designs", _keys(setting), make)


HEADER = [
    "level",
    "design",
    "rotations",
    "pairs",
    "right pose first",
    f"among the first {COUNT}",
    f"under {NEAR_MM:g} mm first",
    f"under {NEAR_MM:g} mm among the first {COUNT}",
    "median s",
    "longest s",
]
ORDERS_HEADER = [
    "level",
    "order",
    "pairs",
    "right pose first",
    f"among the first {FIRST_FEW}",
    "worst place",
    "median s",
]


def _levels(rows: Sequence[dict]) -> list[tuple[str, list[dict]]]:
    """Every level with its rows, at the end all of them."""
    levels = list(dict.fromkeys(row["level"] for row in rows))
    found = [(level, [row for row in rows if row["level"] == level]) for level in levels]
    return [*found, ("all", list(rows))] if len(levels) > 1 else found


def by_design(rows: Sequence[dict]) -> list[list[str]]:
    """Lines for :data:`HEADER`."""
    lines = []
    for level, some in _levels(rows):
        for design in dict.fromkeys(row["design"] for row in some):
            own = [row for row in some if row["design"] == design]
            line = [level, design, str(own[0]["rotations"]), str(len(own))]
            for limit in (RIGHT_MM, NEAR_MM):
                places = [rank(row, limit) for row in own]
                line += [str(places.count(1)), str(len(places) - places.count(None))]
            seconds = [row["seconds"] for row in own]
            lines.append([*line, f"{np.median(seconds):.1f}", f"{max(seconds):.1f}"])
    return lines


def by_order(rows: Sequence[dict]) -> list[list[str]]:
    """Lines for :data:`ORDERS_HEADER`: of the pairs of which the shipped search has a right pose at all."""
    lines = []
    for level, some in _levels([row for row in rows if "orders" in row and rank(row)]):
        for name in ORDERS:
            found = [row["orders"][name] for row in some]
            places = [rank(row, order=order) for row, (order, _) in zip(some, found, strict=True)]
            lines.append(
                [
                    level,
                    name,
                    str(len(some)),
                    str(places.count(1)),
                    str(sum(place <= FIRST_FEW for place in places)),
                    str(max(places)),
                    f"{np.median([seconds for _, seconds in found]):.1f}",
                ]
            )
    return lines


def draw(rows: Sequence[dict]):
    """Figure: of every level and design the share of pairs whose right pose comes first (dark) and is among the
    candidates (light), with the median seconds."""
    levels = list(dict.fromkeys(row["level"] for row in rows))
    figure, panels = new_figure(1.8 + 2.4 * len(levels), 3.4, len(levels))
    for axes, level in zip(panels, levels, strict=True):
        lines = by_design([row for row in rows if row["level"] == level])
        for place, line in enumerate(lines):
            pairs, first, among = (
                int(line[HEADER.index(name)]) for name in ("pairs", "right pose first", f"among the first {COUNT}")
            )
            label = axes is panels[0] and place == 0
            axes.barh(
                place,
                among / pairs,
                0.7,
                color="#56B4E9",
                label=f"right pose among the first {COUNT}" if label else None,
            )
            axes.barh(place, first / pairs, 0.4, color="#0072B2", label="right pose first" if label else None)
            axes.text(1.03, place, f"{line[HEADER.index('median s')]} s", va="center", fontsize=8)
        axes.set_yticks(range(len(lines)), [line[1] for line in lines], fontsize=8)
        axes.set(title=level, xlim=(0, 1))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.tick_params(axis="x", labelsize=8)
        axes.grid(axis="x", color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].invert_yaxis()
    figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=8)
    return figure


def write_designs(rows: Sequence[dict], made_from: str, out: Path) -> str:
    """Write ``designs.csv``, ``orders.csv``, ``designs.md`` and the plot into ``out``; return both tables."""
    tables = []
    for name, header, lines in (("designs", HEADER, by_design(rows)), ("orders", ORDERS_HEADER, by_order(rows))):
        write_csv(out / f"{name}.csv", header, lines)
        tables.append(markdown(header, lines))
    save(draw(rows), made_from, out / "designs")
    write_page(
        out / "designs.md",
        "# Designs of the search\n\nEach case displaced once a level.  A pose is right if its mean error over the "
        f"fixed head is less than {RIGHT_MM:g} mm: a 180-degree flip is off by 60 mm or more, and what is right is "
        f"refined later.  How many come nearer than {NEAR_MM:g} mm says how exact a design is by itself; at `affine` a "
        "rigid pose cannot be exact.  Seconds: processor time of all threads together, without reading.\n\n"
        f"{tables[0]}\n"
        "- `ngf`: the shipped search: structure tensors of normalised gradients, 400 rotations on a lattice of "
        f"{COARSE[0]:g} to {COARSE[1]:g} mm, then a descent on tensors of {FINE:g} mm from the best {SEEDS} poses.\n"
        f"- `ngf one level`: 600 rotations on a lattice of {SPACING:g} mm, nothing else.\n"
        "- `learned features`: the same search over every translation by FFT, with the features of MAD's encoder (8 "
        "principal components, 8 mm) in place of the tensors; the encoder is not rotation-equivariant, so the moving "
        "scan is encoded anew for each of 60; the candidates then follow MAD's matches and are put in the order of the "
        "distance that MAD predicts.\n"
        "- `matched features`: the shipped search of small scans: of 24 rotations between the axes of both lattices "
        "matches of MAD's features of 4 mm vote for translations; a rigid fit to those that meet.\n"
        "- `displacement head`: MAD's matches, each with its uncertainty, and a robust fit to them, step by step from "
        "24 rotations (those of a cube) with the centres of the foregrounds together, in the order of the predicted "
        "distance.\n"
        "- `moments`: principal axes and centres of the foregrounds on each other, in 24 ways, in the order of NMI.\n"
        "- `intensity`: normalised cross-correlation of the length of the gradient in place of the tensors; 400 "
        f"rotations at {COARSER * SPACING:g} mm, the {LIKELY} likeliest at {SPACING:g} mm.\n\n"
        "Rotations, steps and components were chosen by what they cost, and tried on other pairs.\n\n"
        f"{made_from}\n\n![Designs of the search](designs.png)\n\n"
        "## In which order to try the candidates\n\n"
        "Of the pairs of which the shipped search has a right pose among its candidates: where it stands when they "
        f"are put in order by other means.  The pipeline refines {FIRST_FEW} of them further.\n\n"
        f"{tables[1]}\n{made_from}\n",
    )
    return "\n".join(tables)


STUDY = Study("run", lambda s: len(_keys(s)), measure_designs, write_designs)
