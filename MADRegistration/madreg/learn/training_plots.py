"""Plots of a training: its errors step by step, and predicted against true distances."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ..system.plotting import plain_matplotlib


@plain_matplotlib()
def plot(out: Path, validation: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] | None = None) -> None:
    """Draw ``loss.png`` from ``log.csv`` and, given validation results, ``predicted.png``."""
    from matplotlib.figure import Figure

    with open(out / "log.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([int(r["step"]) for r in rows], [float(r["mse_mm2"]) ** 0.5 for r in rows], label="training, RMS")
    for key in rows[0] if rows else []:
        if key.startswith("mae "):
            at = [(int(r["step"]), float(r[key])) for r in rows if r[key]]
            if at:
                axes.plot(*zip(*at, strict=True), "o-", label=f"validation, {key[4:]}, mean absolute")
    axes.set(xlabel="step", ylabel="error of the predicted distance (mm)", ylim=(0, None))
    axes.legend()
    figure.savefig(out / "loss.png", dpi=110)
    if validation:
        figure = Figure(figsize=(4 * len(validation), 4), layout="constrained")
        for axes, (name, (truth, predicted, _)) in zip(
            np.ravel(figure.subplots(1, len(validation))), validation.items(), strict=True
        ):
            axes.hist2d(truth, predicted, bins=60, range=[[0, 80], [0, 80]], cmap="magma_r", cmin=1)
            axes.plot([0, 80], [0, 80], "k--", lw=0.8)
            axes.set(xlabel="true distance (mm)", ylabel="predicted (mm)", title=name, aspect="equal")
        figure.savefig(out / "predicted.png", dpi=110)
