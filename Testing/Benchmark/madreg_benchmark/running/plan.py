"""Run methods over trials, one row a trial; what a file holds already is not run again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from madreg.errors import InputError
from madreg_benchmark.cases.case import Case
from madreg_benchmark.cases.levels import LEVELS
from madreg_benchmark.cases.trial import Trial, make_trial
from madreg_benchmark.methods.method import Method, Options
from madreg_benchmark.methods.registry import METHODS
from madreg_benchmark.running.rows import append_row, read_rows, refuse_mixture, write_rows
from madreg_benchmark.running.trial import run_trial


@dataclass(frozen=True)
class Plan:
    """What is to be run.

    Attributes:
        cases, methods, levels: all combinations of these,
        trials: this many times each, every time with another displacement.
        options: for our own methods.
        fresh_process: which clock; see :mod:`madreg_benchmark.running.trial`.
        commit, weights: what our own rows were made with.
    """

    cases: list[Case]
    methods: list[Method]
    levels: list[str]
    trials: int
    options: Options
    fresh_process: bool
    commit: str
    weights: str

    def __post_init__(self) -> None:
        unknown = [level for level in self.levels if level not in LEVELS]
        if unknown:
            raise InputError(f"There is no level {unknown[0]}; choose from {', '.join(LEVELS)}.")
        if self.trials < 1 or not self.cases or not self.levels:
            raise InputError("Nothing to do: give at least one case, one level and one trial.")

    @property
    def clock(self) -> str:
        return "fresh-process" if self.fresh_process else "in-process"

    def run(self, method: Method, case: Case, level: str, number: int, trial: Trial) -> dict:
        """The row of one trial."""
        return {
            "method": method.name,
            "case": case.name,
            "level": level,
            "trial": number,
            "contrast": case.contrast,
            "good_to_mm": case.good_to_mm,
            "clock": self.clock,
            "seed": self.options.seed,
            "weights": self.weights,
            "commit": self.commit,
            **run_trial(method, trial, not LEVELS[level].rigid, self.options, self.fresh_process),
        }

    def row_keys(self) -> list[tuple]:
        """Identity of every row, in the order of running: a cut-off run has seen all cases equally often."""
        return [
            (method.name, case.name, level, number)
            for number in range(self.trials)
            for level in self.levels
            for case in self.cases
            for method in self.methods
        ]


def row_key(row: dict) -> tuple:
    return row["method"], row["case"], row["level"], row["trial"]


def finished_rows(path: Path, plan: Plan) -> list[dict]:
    """Rows in ``path`` that belong to the plan.

    Raises:
        InputError: if they were made with another clock, seed or weights: such figures must not be mixed.
    """
    wanted = set(plan.row_keys())
    rows = [row for row in read_rows(path) if row_key(row) in wanted]
    for row in rows:
        ours = METHODS[row["method"]].ours
        for what, now in [("clock", plan.clock), ("seed", plan.options.seed), ("weights", plan.weights)]:
            if ours or what == "clock":
                refuse_mixture(path, row, what, now)
    return rows


def run_plan(plan: Plan, path: Path, on_row: Callable[[dict], None] = lambda row: None) -> list[dict]:
    """Run what is not in ``path`` yet and append a line of JSON to it after every trial.

    Returns:
        All rows of the plan, earlier ones included, in the plan's order.
    """
    rows = {row_key(row): row for row in finished_rows(path, plan)}
    if path.exists():
        write_rows(path, read_rows(path))
    with tempfile.TemporaryDirectory(prefix="madreg-benchmark-") as folder:
        for number in range(plan.trials):
            for level in plan.levels:
                for case in plan.cases:
                    keys = {method: (method.name, case.name, level, number) for method in plan.methods}
                    missing = [method for method, key in keys.items() if key not in rows]
                    if not missing:
                        continue
                    trial = make_trial(case, level, number, Path(folder))
                    for method in missing:
                        row = plan.run(method, case, level, number, trial)
                        append_row(path, row)
                        rows[keys[method]] = row
                        on_row(row)
    return [rows[key] for key in plan.row_keys()]
