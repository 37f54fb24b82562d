"""What is said of the transforms that other tools find?

Each tool registers displaced pairs, and its transform is assessed as `madreg assess` does it, with no other pose known.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from madreg.image.geometry import mean_displacement
from madreg.image.pair import Pair
from madreg.image.transform import Transform
from madreg.io.reading import read_volume
from madreg.quality.assessment import assess
from madreg_benchmark.cases.trial import make_trial
from madreg_benchmark.methods.method import Options
from madreg_benchmark.methods.registry import find_methods
from madreg_benchmark.report.page import write_page
from madreg_benchmark.report.tables import write_csv
from madreg_benchmark.running.trial import run_trial
from madreg_benchmark.studies.study import Setting, Study, collect
from madreg_benchmark.studies.verdicts import group_table, range_table, said

TOOLS = ["default", "peer:elastix", "peer:ants", "peer:greedy_search", "peer:mattes"]
LEVEL = "large"
FIELDS = ("case", "contrast", "tool", "true_mm", "estimate_mm", "bound_mm", "margin", "verdict")


def _keys(setting: Setting) -> list[dict]:
    methods, _ = find_methods(TOOLS[-1:] if setting.quick else TOOLS)  # the quickest, which is always there
    return [{"case": case.name, "tool": method.name} for method in methods for case in setting.cases]


def measure_other_tools(setting: Setting) -> list[dict]:
    """One row a case and tool."""
    cases = {case.name: case for case in setting.cases}

    def row(key: dict) -> dict:
        case, (method,) = cases[key["case"]], find_methods([key["tool"]])[0]
        with tempfile.TemporaryDirectory() as folder:
            trial = make_trial(case, LEVEL, 0, Path(folder))
            made = run_trial(method, trial, False, Options(setting.seed, setting.device), fresh_process=True)
            pair = Pair(read_volume(trial.fixed)[0], read_volume(trial.moving)[0], setting.seed)
        found = np.array(made.get("matrix", np.eye(4)))  # the pose that was given where a tool ends with a message
        true_mm = mean_displacement(found, trial.truth, pair.points)
        quality = assess(pair.near([found]), Transform(found))
        return {"contrast": case.contrast, "true_mm": round(true_mm, 4), "note": made["note"], **said(quality)}

    return collect(setting, "other_tools", _keys(setting), row)


def write_other_tools(rows: Sequence[dict], made_from: str, out: Path) -> str:
    """Write ``other_tools.csv`` (every transform) and ``other_tools.md`` into ``out``; return the tables."""
    write_csv(out / "other_tools.csv", FIELDS, [[row.get(name) for name in FIELDS] for row in rows])
    text = f"## By tool and pair\n\n{group_table(rows, ('tool', 'contrast'))}\n## By true error\n\n{range_table(rows)}"
    write_page(out / "other_tools.md", f"# Transforms of other tools\n\n{text}\n{made_from}\n")
    return text


STUDY = Study("transform", lambda setting: len(_keys(setting)), measure_other_tools, write_other_tools)
