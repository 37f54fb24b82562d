"""The log of a training: a CSV file with a row of figures every few steps."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = ["step", "pairs", "seconds", "rate", "mse_mm2", "matching", "sampler_pairs_per_s", "network_pairs_per_s"]


class TrainingLog:
    """The log of a training, in a file.

    Args:
        path: the CSV file.
        names: of the sets of pairs on which the training is validated.
        step: at which the training goes on; later rows of the file are removed.
    """

    def __init__(self, path: Path, names: Sequence[str], step: int) -> None:
        self.path = path
        self.columns = [*COLUMNS, *[f"mae {name}" for name in names], *[f"spearman {name}" for name in names]]
        self._sums, self._count = np.zeros(4), 0
        rows: list[dict] = []
        if step and path.exists():
            with open(path, newline="") as stream:
                rows = [row for row in csv.DictReader(stream) if int(row["step"]) <= step]
        with open(path, "w", newline="") as stream:
            csv.DictWriter(stream, self.columns).writeheader()
            csv.DictWriter(stream, self.columns).writerows(rows)

    def add(self, error: float, matching: float, sampling_s: float, network_s: float) -> None:
        """Record a step: mean squared error in mm^2, matching loss, and the seconds of sampler and network."""
        self._sums += [error, matching, sampling_s, network_s]
        self._count += 1

    def means(self, batch: int) -> dict[str, float]:
        """Figures of the steps since the last call.

        Args:
            batch: pairs a step.
        """
        error, matching, sampling_s, network_s = self._sums
        count, self._sums, self._count = self._count, np.zeros(4), 0
        return {
            "mse_mm2": round(error / count, 2),
            "matching": round(matching / count, 3),
            "sampler_pairs_per_s": round(count * batch / sampling_s, 1),
            "network_pairs_per_s": round(count * batch / network_s, 1),
        }

    def write(self, row: dict[str, Any]) -> None:
        """Append a row; columns that it leaves out stay empty."""
        with open(self.path, "a", newline="") as stream:
            csv.DictWriter(stream, self.columns).writerow(row)
