"""What the measures cost: processor time to set one up, its first value included, for another value, and for its value
with the gradient."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from madreg.descent.evaluation import evaluate
from madreg.measures import MEASURES
from madreg.measures.base import Measure
from madreg.pipeline.single_measure import SCHEDULE
from madreg_benchmark.report.page import write_page
from madreg_benchmark.report.tables import markdown, write_csv
from madreg_benchmark.studies.axes import Pair
from madreg_benchmark.studies.study import Setting, Study

WHAT = ("set up", "value", "value and gradient")


def processor_seconds(work: Callable[[], object], repeats: int) -> float:
    """Least processor time of all threads together, over some repeats: other programs do not count."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def _with_gradient(measure: Measure, matrices: np.ndarray) -> None:
    measure(torch.as_tensor(matrices).requires_grad_()).sum().backward()


def measure_costs(setting: Setting) -> list[dict]:
    """One row a case and measure: seconds of processor time for each of :data:`WHAT`, 5 mm from the true pose."""
    repeats = 1 if setting.quick else 5
    rows = []
    for case in setting.cases:
        pair = Pair(case, setting.seed, "cpu")
        matrices = pair.along("translation", "x", 5.0)[None]
        for name, make in MEASURES.items():
            set_up = partial(make, *(pair.scans if name.startswith("mad") else pair.coarse), seed=setting.seed)
            rows.append({"case": case.name, "measure": name, **_costs(set_up, matrices, repeats)})
            setting.on_unit()
    return rows


def _costs(set_up: Callable[[], Measure], matrices: np.ndarray, repeats: int) -> dict[str, float]:
    """Seconds of processor time for each of :data:`WHAT`, of the measure that is set up, at matrices (B, 4, 4)."""
    made: list[Measure] = []

    def make() -> None:
        made[:] = [set_up()]
        evaluate(made[0], matrices)  # what the measure needs is made by then

    works = make, lambda: evaluate(made[0], matrices), lambda: _with_gradient(made[0], matrices)
    return {what: processor_seconds(work, repeats) for what, work in zip(WHAT, works, strict=True)}


HEADER = [
    "measure",
    *(f"{what}, s" for what in WHAT),
    "value and gradient, least to most, s",
    f"{SCHEDULE.steps} steps, s",
]


def write_costs(rows: Sequence[dict], made_from: str, out: Path) -> str:
    """Write ``costs.csv`` and ``costs.md`` into ``out``: medians over the cases; return the table."""
    lines = []
    for measure in dict.fromkeys(row["measure"] for row in rows):
        seconds = {what: [row[what] for row in rows if row["measure"] == measure] for what in WHAT}
        steps = seconds["value and gradient"]
        lines.append(
            [
                measure,
                *(f"{np.median(seconds[what]):.3f}" for what in WHAT),
                f"{min(steps):.3f} to {max(steps):.3f}",
                f"{SCHEDULE.steps * np.median(steps):.1f}",
            ]
        )
    write_csv(out / "costs.csv", HEADER, lines)
    table = markdown(HEADER, lines)
    write_page(
        out / "costs.md",
        "# What the measures cost\n\nProcessor time of all threads together, medians over the cases, on the CPU; MAD "
        "over all of the fixed foreground, NMI and NGF at 30,000 points at 4 mm, as in `madreg register --measure`.\n\n"
        f"{table}\nTorch uses {torch.get_num_threads()} threads.  {made_from}\n",
    )
    return table


STUDY = Study("measure", lambda s: len(MEASURES) * len(s.cases), measure_costs, write_costs)
