"""One method on one trial, timed by one of two clocks.

``in-process``: from the two files to the matrix, reading included, with libraries already imported; what a second
registration in the same session costs.  ``fresh-process``: a new Python each trial, from its start to its exit,
imports and the network's loading included; what a user waits for a command.  Only the second one knows the peak memory
of a method.  Both treat all methods alike.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import madreg
from madreg.image.geometry import mean_displacement
from madreg_benchmark.cases.trial import Trial
from madreg_benchmark.methods.method import Method, Options, Outcome

TIME_LIMIT_S = 1800
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]
_MADREG_PARENT = Path(madreg.__file__).resolve().parents[1]


@contextmanager
def without_stdout() -> Iterator[None]:
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
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
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
    with without_stdout():
        start = time.perf_counter()
        outcome = method.run(trial.fixed, trial.moving, affine, options)
        return outcome, time.perf_counter() - start, None


def _run_fresh(method: Method, trial: Trial, affine: bool, options: Options) -> tuple[Outcome, float, float | None]:
    answer = trial.fixed.parent / "answer.json"
    answer.unlink(missing_ok=True)
    path = os.pathsep.join(p for p in (str(_PACKAGE_PARENT), str(_MADREG_PARENT), os.environ.get("PYTHONPATH")) if p)
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
        [sys.executable, "-m", "madreg_benchmark.running.child", *words],
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
    said = json.loads(answer.read_text(encoding="utf-8"))
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
    except Exception as error:
        row |= {"seconds": round(time.perf_counter() - start, 3), "note": f"{type(error).__name__}: {error}"[:300]}
    return row
