"""Run methods over trials, one row a trial, so that a run that was cut off goes on where it stopped.

Two clocks.  ``in-process``: from the two files to the matrix, reading included, with libraries already imported; what
a second registration in the same session costs.  ``fresh-process``: a new Python each trial, from its start to its
exit, imports and the network's loading included; what a user waits for a command.  Only the second one knows the peak
memory of a method.  Both treat all methods alike.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from madreg.errors import InputError
from madreg.image.geometry import mean_displacement
from madreg_benchmark.methods import METHODS, Method, Options, Outcome
from madreg_benchmark.protocol import LEVELS, Case, Trial, make_trial

TIME_LIMIT_S = 1800
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Plan:
    """What is to be run.

    Attributes:
        cases, methods, levels: all combinations of these,
        trials: this many times each, every time with another displacement.
        options: for our own methods.
        fresh_process: which clock; see the module.
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

    def keys(self) -> list[tuple]:
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


def read_rows(path: Path) -> list[dict]:
    """Rows of an earlier run; a last line that was cut off in writing is left out."""
    if not path.exists():
        return []
    rows = []
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            if number < len(lines) - 1:
                raise InputError(
                    f"{path} is damaged in line {number + 1}; remove it or choose another --out."
                ) from error
    return rows


def finished_rows(path: Path, plan: Plan) -> list[dict]:
    """Rows in ``path`` that belong to the plan.

    Raises:
        InputError: if they were made with another clock, seed or weights: such figures must not be mixed.
    """
    wanted = set(plan.keys())
    rows = [row for row in read_rows(path) if row_key(row) in wanted]
    for row in rows:
        ours = METHODS[row["method"]].ours
        for what, now in [("clock", plan.clock), ("seed", plan.options.seed), ("weights", plan.weights)]:
            if row[what] != now and (ours or what == "clock"):
                raise InputError(
                    f"{path} has rows made with {what} {row[what]}, and this run has {now}; choose another --out."
                )
    return rows


@contextmanager
def silent_stdout() -> Iterator[None]:
    """Send what C++ libraries print to nowhere, so that progress and results stay readable."""
    sys.stdout.flush()
    saved, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)
        os.close(nowhere)


def peak_memory_mb() -> float | None:
    """Highest resident memory of this process so far."""
    try:  # on Linux ru_maxrss survives exec and would report the parent's memory
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) / 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def _run_here(method: Method, trial: Trial, affine: bool, options: Options) -> tuple[Outcome, float, float | None]:
    method.prepare()
    with silent_stdout():
        start = time.perf_counter()
        outcome = method.run(trial.fixed, trial.moving, affine, options)
        return outcome, time.perf_counter() - start, None


def _run_fresh(method: Method, trial: Trial, affine: bool, options: Options) -> tuple[Outcome, float, float | None]:
    answer = trial.fixed.parent / "answer.json"
    answer.unlink(missing_ok=True)
    path = os.pathsep.join(p for p in (str(_PACKAGE_PARENT), os.environ.get("PYTHONPATH")) if p)
    words = [
        method.name,
        str(trial.fixed),
        str(trial.moving),
        str(int(affine)),
        str(options.seed),
        options.device,
        str(answer),
    ]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "madreg_benchmark.child", *words],
        timeout=TIME_LIMIT_S,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    seconds = time.perf_counter() - start
    if done.returncode or not answer.exists():
        lines = done.stderr.strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"ended with code {done.returncode}")
    said = json.loads(answer.read_text())
    return Outcome(np.array(said["matrix"]), said["details"]), seconds, said["memory_mb"]


def run_trial(method: Method, trial: Trial, affine: bool, options: Options, fresh_process: bool) -> dict:
    """Run one method on one trial, by one of the two clocks: what it yields, as a row without the trial's identity."""
    before = mean_displacement(np.eye(4), trial.truth, trial.points)
    row = {
        "before_mm": round(before, 4),
        "error_mm": round(before, 4),
        "seconds": 0.0,
        "memory_mb": None,
        "note": "",
        "details": {},
    }
    start = time.perf_counter()
    try:
        run = _run_fresh if fresh_process else _run_here
        outcome, seconds, memory = run(method, trial, affine, options)
        error = mean_displacement(outcome.matrix, trial.truth, trial.points)
        if not np.isfinite(error):
            raise RuntimeError("the matrix is not finite")
        row |= {
            "error_mm": round(error, 4),
            "seconds": round(seconds, 3),
            "details": outcome.details,
            "memory_mb": None if memory is None else round(memory, 1),
            "matrix": outcome.matrix.tolist(),
        }
    except Exception as error:  # noqa: BLE001  a peer may raise anything; the row says so and the run goes on
        row |= {"seconds": round(time.perf_counter() - start, 3), "note": f"{type(error).__name__}: {error}"[:300]}
    return row


def run_plan(plan: Plan, path: Path, on_row: Callable[[dict], None] = lambda row: None) -> list[dict]:
    """Run what is not in ``path`` yet and append a line of JSON to it after every trial.

    Returns:
        All rows of the plan, earlier ones included, in the plan's order.
    """
    rows = {row_key(row): row for row in finished_rows(path, plan)}
    earlier = read_rows(path)
    if path.exists() and len(earlier) < len(path.read_text().splitlines()):  # drop the line that was cut off
        path.write_text("".join(json.dumps(row) + "\n" for row in earlier))
    with tempfile.TemporaryDirectory(prefix="madreg-evaluate-") as folder:
        for number in range(plan.trials):
            for level in plan.levels:
                for case in plan.cases:
                    trial = None
                    for method in plan.methods:
                        key = (method.name, case.name, level, number)
                        if key in rows:
                            continue
                        trial = trial or make_trial(case, level, number, Path(folder))
                        row = dict(zip(("method", "case", "level", "trial"), key, strict=True))
                        row |= {
                            "contrast": case.contrast,
                            "clock": plan.clock,
                            "seed": plan.options.seed,
                            "weights": plan.weights,
                            "commit": plan.commit,
                        }
                        row |= run_trial(method, trial, not LEVELS[level].rigid, plan.options, plan.fresh_process)
                        with path.open("a") as file:
                            file.write(json.dumps(row) + "\n")
                        rows[key] = row
                        on_row(row)
    return [rows[key] for key in plan.keys()]
