"""The log of a training: a CSV file with a row of figures every few steps."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError

COLUMNS = ["step", "pairs", "seconds", "rate", "mse_mm2", "matching", "sampler_pairs_per_s", "network_pairs_per_s"]


class TrainingLog:
    """The log of a training, in a file.

    Args:
        path: the CSV file.
        names: of the sets of pairs on which the training is validated.
        step: at which the training goes on; later rows of the file are removed.

    Raises:
        InputError: if there is another file.
    """

    def __init__(self, path: Path, names: Sequence[str], step: int) -> None:
        self.path = path
        self.columns = [*COLUMNS, *[f"mae {name}" for name in names], *[f"spearman {name}" for name in names]]
        self._sums, self._count = np.zeros(4), 0
        rows = _rows(path, step) if step and path.exists() else []
        with open(path, "w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, self.columns, extrasaction="ignore")  # other sets of pairs before
            writer.writeheader()
            writer.writerows(rows)

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
        with open(self.path, "a", newline="", encoding="utf-8") as stream:
            csv.DictWriter(stream, self.columns).writerow(row)


def _rows(path: Path, last: int) -> list[dict[str, str]]:
    """The complete rows of a log up to a step.

    Raises:
        InputError: if the file is no log.
    """
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        complete = [row for row in rows if None not in row.values()]  # the last one may have been cut off
        return [row for row in complete if int(row["step"]) <= last]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise InputError(f"{path} is no log of a training: give another --out, or remove it.") from error
