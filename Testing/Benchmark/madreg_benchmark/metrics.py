"""Numbers that sum up a set of trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 5000


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


def wilson_interval(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Interval of a share (Wilson 1927): also sensible when all or none succeed."""
    share, square = successes / trials, z * z / trials
    middle = (share + square / 2) / (1 + square)
    half = z * np.sqrt(share * (1 - share) / trials + square / (4 * trials)) / (1 + square)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def bootstrap_median(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the median."""
    draws = np.random.default_rng(seed).choice(values, (RESAMPLES, len(values)))
    low, high = np.percentile(np.median(draws, axis=1), [2.5, 97.5])
    return float(low), float(high)


def summarise(rows: Sequence[dict]) -> Summary:
    """Sum up rows of :mod:`madreg_benchmark.runner`, at least one."""
    errors = np.array([row["error_mm"] for row in rows], float)
    ended = np.array([not row["note"] for row in rows])
    memory = [row["memory_mb"] for row in rows if row["memory_mb"] is not None]
    good = int((ended & (errors < 5)).sum())
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
