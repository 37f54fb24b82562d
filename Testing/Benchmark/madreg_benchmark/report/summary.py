"""Numbers that sum up a set of trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

RESAMPLES = 5000
RIGHT_MM = 5.0
"""An error below this is a success."""


@dataclass(frozen=True)
class Summary:
    """One line of a results table; errors in mm, shares from 0 to 1.

    Attributes:
        trials: how many.
        failed: how many ended with an error message instead of a transform; they count as not successful, with the
            displacement they were given as their error.
        under_2, under_5: share of trials whose error is below 2 and 5 mm.
        under_5_interval: Wilson's 95 % interval of that share.
        median, median_interval: of the error, with a 95 % percentile bootstrap interval.
        mean, worst: of the error; the mean is the MAE.
        seconds: median time of a trial.
        memory_mb: highest peak memory of a trial; None if it was not measured.
    """

    trials: int
    failed: int
    under_2: float
    under_5: float
    under_5_interval: tuple[float, float]
    median: float
    median_interval: tuple[float, float]
    mean: float
    worst: float
    seconds: float
    memory_mb: float | None


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, which is also sensible when all or none succeed."""
    interval = stats.binomtest(successes, trials).proportion_ci(0.95, "wilson")
    return float(interval.low), float(interval.high)


def bootstrap_median(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the median; of a single value, that value."""
    if len(values) < 2:
        return float(values[0]), float(values[0])
    interval = stats.bootstrap(
        (values,), np.median, n_resamples=RESAMPLES, method="percentile", random_state=np.random.default_rng(seed)
    ).confidence_interval
    return float(interval.low), float(interval.high)


def share_right(errors: np.ndarray) -> str:
    """How many of some errors (n,), mm, are successes, as ``2/3``."""
    return f"{int((errors < RIGHT_MM).sum())}/{len(errors)}"


def summarize(rows: Sequence[dict]) -> Summary:
    """Sum up rows of :mod:`madreg_benchmark.running.plan`, at least one."""
    errors = np.array([row["error_mm"] for row in rows], float)
    ended = np.array([not row["note"] for row in rows])
    memory = [row["memory_mb"] for row in rows if row["memory_mb"] is not None]
    good = int((ended & (errors < RIGHT_MM)).sum())
    return Summary(
        trials=len(rows),
        failed=int((~ended).sum()),
        under_2=float((ended & (errors < 2)).mean()),
        under_5=good / len(rows),
        under_5_interval=wilson_interval(good, len(rows)),
        median=float(np.median(errors)),
        median_interval=bootstrap_median(errors),
        mean=float(errors.mean()),
        worst=float(errors.max()),
        seconds=float(np.median([row["seconds"] for row in rows])),
        memory_mb=max(memory) if memory else None,
    )
