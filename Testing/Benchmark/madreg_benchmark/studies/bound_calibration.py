"""How a bound of the error is calibrated on assessments of known error, and on which of them it is checked.

Two thirds of the pairs of every contrast are used to fit what the bound is a multiple of, and for the multiple, each
pair with a fit to others (cross-conformal prediction); the last third is used to check both.  The multiple is the
largest of those that any kind of misalignment and any kind of pair needs: which of them a user has is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from madreg.quality.bound import LEVEL
from madreg_benchmark.cases.misaligned import WRONG_PAIRS

PARTS = 3
FOLDS = 5  # of the pairs that are used to calibrate
FEWEST = 60  # rows of a group; of fewer, fewer than three are beyond the 95th percentile
SIZES_ML = (2.0, 20.0)  # that divide small, middling and large regions


@dataclass(frozen=True)
class Model:
    """What a bound is made of.

    Attributes:
        terms: fields of a row; the bound is a multiple of their sum, each with a coefficient, and a constant.
        groups: fields of a row, of which the bound holds for every value.
    """

    terms: tuple[str, ...]
    groups: tuple[str, ...]

    def values(self, row: dict) -> list[float]:
        """1, and the terms of a row."""
        return [1.0, *(row[name] for name in self.terms)]


WHOLE = Model(("motion_mm", "deformation_mm"), ("contrast", "kind"))
"""The bound of the mean error over the fixed foreground: :func:`madreg.quality.bound.bound_of`."""
REGION = Model(("mean_mm", "deformation_mm"), ("contrast", "kind", "size"))
"""The bound of the mean error over a region: :func:`madreg.quality.bound.bound_of_region`."""


def parts_of(rows: Sequence[dict]) -> dict[str, int]:
    """Which of :data:`PARTS` a case belongs to: of each contrast a third, in the order of the names."""
    found = {}
    for contrast in {row["contrast"] for row in rows}:
        names = sorted({row["case"] for row in rows if row["contrast"] == contrast})
        found |= {name: number % PARTS for number, name in enumerate(names)}
    return found


def bounded(row: dict) -> bool:
    """Whether there is a bound, and a true error that it is one of."""
    known = None not in (row["true_mm"], row["estimate_mm"], row["deformation_mm"])
    unbounded = row["verdict"] == "failed" or row["is_mirrored"] or row["may_be_other_body"]
    return known and not unbounded and row["kind"] not in WRONG_PAIRS


def regions_of(rows: Sequence[dict]) -> list[dict]:
    """Of rows that have a bound, a row for each region whose error is estimated."""
    same = ("case", "contrast", "kind", "verdict", "deformation_mm")
    return [
        {**{name: row[name] for name in same}, **region, "size": _size(region["volume_ml"]), "form": _form(region)}
        for row in rows
        if bounded(row)
        for region in row.get("regions", [])
        if region["mean_mm"] is not None
    ]


def _size(volume_ml: float) -> str:
    small, large = SIZES_ML
    if volume_ml < small:
        return f"less than {small:.0f} ml"
    return f"{small:.0f} to {large:.0f} ml" if volume_ml < large else f"more than {large:.0f} ml"


def _form(region: dict) -> str:
    return "sphere" if region["name"] == "sphere" else "structure"


def fit_quantile(rows: Sequence[dict], model: Model, level: float = LEVEL) -> np.ndarray:
    """Coefficients, none negative, of the values of a model for a quantile of the true error (quantile regression)."""
    known = np.array([model.values(row) for row in rows])
    true = np.array([row["true_mm"] for row in rows])
    count, width = known.shape
    cost = np.concatenate([np.zeros(width), np.full(count, level), np.full(count, 1 - level)])
    equal = sparse.hstack([sparse.csr_matrix(known), sparse.eye(count), -sparse.eye(count)])
    return linprog(cost, A_eq=equal, b_eq=true, method="highs").x[:width]


def quotients(rows: Sequence[dict], model: Model, coefficients: np.ndarray) -> np.ndarray:
    """(n,) true error as a multiple of the fit."""
    return np.array([row["true_mm"] / (coefficients @ model.values(row)) for row in rows])


def conformal_factor(values: np.ndarray, level: float = LEVEL) -> float:
    """The multiple that another case's is at most with probability ``level``; infinite of too few cases."""
    rank = int(np.ceil((len(values) + 1) * level))
    return float(np.sort(values)[rank - 1]) if rank <= len(values) else np.inf


@dataclass(frozen=True)
class Calibration:
    """How bounds are made.

    Attributes:
        coefficients: of the values of the model.
        quotients: of all rows, and of those of each group, each with coefficients that were fitted to other pairs.
    """

    model: Model
    coefficients: np.ndarray
    quotients: dict[str, np.ndarray]

    @classmethod
    def of(cls, rows: Sequence[dict], model: Model) -> Calibration:
        """Of the rows that have a bound."""
        names = sorted({row["case"] for row in rows})
        fold = np.array([names.index(row["case"]) % FOLDS for row in rows])
        found = np.zeros(len(rows))
        for number in range(FOLDS):
            out = fold == number
            others = fit_quantile([row for row, is_out in zip(rows, out, strict=True) if not is_out], model)
            found[out] = quotients([row for row, is_out in zip(rows, out, strict=True) if is_out], model, others)
        grouped = {"all": found}
        for field in model.groups:
            value = np.array([row[field] for row in rows])
            grouped |= {f"{field} {one}": found[value == one] for one in np.unique(value)}
        return cls(model, fit_quantile(rows, model), grouped)

    def factor(self, level: float = LEVEL) -> float:
        """The largest that all rows or any group of enough rows need."""
        enough = [values for name, values in self.quotients.items() if name == "all" or len(values) >= FEWEST]
        return max(conformal_factor(values, level) for values in enough)

    def bound(self, row: dict, level: float = LEVEL) -> float:
        """The bound of an assessment, mm."""
        return self.factor(level) * float(self.coefficients @ self.model.values(row))


def calibrate(rows: Sequence[dict], model: Model = WHOLE, checked: int = 0) -> tuple[Calibration, list[dict]]:
    """The calibration with all but one of the parts, and the rows of that one, to check it.

    Args:
        rows: of the study.
    """
    part = parts_of(rows)
    known = regions_of(rows) if model is REGION else [row for row in rows if bounded(row)]
    return (
        Calibration.of([row for row in known if part[row["case"]] != checked], model),
        [row for row in known if part[row["case"]] == checked],
    )
