"""Pictures of results.  Matplotlib is imported when the first one is drawn."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from madreg_benchmark.methods.registry import METHODS
from madreg_benchmark.report.tables import grouped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette for the colour-blind, and marks that distinguish methods in grey
_COLORS = [
    "#D55E00",
    "#0072B2",
    "#009E73",
    "#E69F00",
    "#999999",
    "#555555",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
    "#8C510A",
    "#762A83",
]
_MARKS = "osD^xvP*X<>"


def style(method: str) -> dict:
    """Colour and mark of a method."""
    number = list(METHODS).index(method) if method in METHODS else len(_COLORS) - 1
    return {"color": _COLORS[number % len(_COLORS)], "marker": _MARKS[number % len(_MARKS)]}


def _in_order(rows: Sequence[dict], field: str) -> list[str]:
    return list(dict.fromkeys(row[field] for row in rows))


def new_figure(
    width: float, height: float, panels: int = 1, rows: int = 1, sharey: bool = True
) -> tuple[Figure, np.ndarray]:
    """A figure of so many inches and its panels: so many side by side in each row, row by row."""
    from matplotlib.figure import Figure  # without pyplot: no display, no global state

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, panels, sharey=sharey, squeeze=False).ravel()


def save(figure: Figure, caption: str, path: Path) -> list[Path]:
    """Write a figure as PNG and SVG with its caption underneath."""
    width = int(figure.get_size_inches()[0] * 15)
    figure.supxlabel("\n".join(textwrap.wrap(caption, width)), fontsize=7, color="0.35", x=0.01, ha="left")
    paths = [path.with_suffix(suffix) for suffix in (".png", ".svg")]
    for target in paths:
        figure.savefig(target, dpi=150, metadata={"Date": None} if target.suffix == ".svg" else None)
    return paths


def success(rows: Sequence[dict]) -> Figure:
    """Share of trials under 5 mm for each level and method, with Wilson's 95 % interval."""
    levels, methods = _in_order(rows, "level"), _in_order(rows, "method")
    summaries = grouped(rows, ["level", "method"])
    figure, (axes,) = new_figure(max(6.0, 1.6 + 0.9 + 0.26 * len(levels) * (len(methods) + 1)), 4.2)
    width = 0.8 / len(methods)
    for number, method in enumerate(methods):
        for place, level in enumerate(levels):
            if (level, method) not in summaries:
                continue
            summary = summaries[level, method]
            x = place + (number - (len(methods) - 1) / 2) * width
            axes.bar(
                x, summary.under_5, width * 0.92, color=style(method)["color"], label=method if place == 0 else None
            )
            low, high = summary.under_5_interval
            axes.plot([x, x], [low, high], color="black", linewidth=0.9)
            axes.text(x, -0.015, f"{summary.under_5:.0%}", ha="center", va="top", fontsize=6, rotation=90)
    axes.set_xticks(range(len(levels)), levels)
    axes.tick_params(axis="x", pad=22, length=0)
    axes.set(ylim=(0, 1.02), ylabel="share of trials with an error under 5 mm")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper left", ncols=6, frameon=False, fontsize=8)
    return figure


def errors(rows: Sequence[dict]) -> Figure:
    """Every trial's error on a logarithmic axis; a bar marks the median, a cross a run that ended with a message."""
    levels, methods = _in_order(rows, "level"), _in_order(rows, "method")
    figure, panels = new_figure(1.0 + len(levels) * (0.5 + 0.34 * len(methods)), 4.8, len(levels))
    rng = np.random.default_rng(0)
    for axes, level in zip(panels, levels, strict=True):
        for place, method in enumerate(methods):
            some = [row for row in rows if row["level"] == level and row["method"] == method]
            if not some:
                continue
            values = np.array([max(row["error_mm"], 0.01) for row in some])
            x = place + rng.uniform(-0.25, 0.25, len(values))
            ended = np.array([not row["note"] for row in some])
            color = style(method)["color"]
            axes.scatter(x[ended], values[ended], s=13, color=color, alpha=0.75, linewidths=0)
            axes.scatter(x[~ended], values[~ended], s=22, color=color, marker="x")
            axes.plot([place - 0.38, place + 0.38], [np.median(values)] * 2, color="black", linewidth=1.4)
        for limit in (2, 5):
            axes.axhline(limit, color="0.6", linewidth=0.8, linestyle=":")
        axes.set(yscale="log", title=level, xlim=(-0.6, len(methods) - 0.4))
        axes.set_xticks(range(len(methods)), methods, rotation=90, fontsize=8)
        axes.grid(axis="y", color="0.92")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("error, mm (dotted: 2 and 5 mm)")
    panels[0].yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    return figure


def time_against_success(rows: Sequence[dict]) -> Figure:
    """Median time against the share under 5 mm, over all levels of the run: up and to the left is better."""
    figure, (axes,) = new_figure(6.4, 4.4)
    for (method,), summary in grouped(rows, ["method"]).items():
        low, high = summary.under_5_interval
        seconds = max(summary.seconds, 0.01)
        axes.plot([seconds, seconds], [low, high], color=style(method)["color"], linewidth=1)
        axes.scatter(seconds, summary.under_5, s=55, label=method, zorder=3, **style(method))
    axes.set(
        xscale="log",
        ylim=(-0.02, 1.02),
        xlabel="median time of a trial, s",
        ylabel="share of trials with an error under 5 mm",
    )
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
