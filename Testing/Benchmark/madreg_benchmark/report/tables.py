"""Results as CSV and Markdown."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from madreg_benchmark.report.summary import Summary, summarize

COLUMNS = [
    "trials",
    "failed",
    "under 2 mm",
    "under 5 mm",
    "95 % interval",
    "median mm",
    "95 % interval of the median",
    "mean mm (MAE)",
    "worst mm",
    "median s",
    "peak MB",
]


def grouped(rows: Sequence[dict], by: Sequence[str]) -> dict[tuple, Summary]:
    """Summaries of the rows that agree in the fields ``by``, in the order in which they first occur."""
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault(tuple(row[field] for field in by), []).append(row)
    return {key: summarize(group) for key, group in groups.items()}


def _mm(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _cells(summary: Summary) -> list[str]:
    low, high = summary.under_5_interval
    return [
        str(summary.trials),
        str(summary.failed),
        f"{summary.under_2:.0%}",
        f"{summary.under_5:.0%}",
        f"{low:.0%} to {high:.0%}",
        _mm(summary.median),
        " to ".join(_mm(v) for v in summary.median_interval),
        _mm(summary.mean),
        _mm(summary.worst),
        f"{summary.seconds:.1f}",
        "" if summary.memory_mb is None else f"{summary.memory_mb:.0f}",
    ]


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def write_csv(path: Path, header: Sequence[str], lines: Sequence[Sequence[object]]) -> None:
    """Write a table as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *lines])


def table(rows: Sequence[dict], by: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Header and lines of the summary by some fields, sorted by all but the last, which keeps its order."""
    summaries = grouped(rows, by)
    order = {field: list(dict.fromkeys(row[field] for row in rows)) for field in by}
    keys = sorted(summaries, key=lambda key: [order[field].index(value) for field, value in zip(by, key, strict=True)])
    return [*by, *COLUMNS], [[*key, *_cells(summaries[key])] for key in keys]


def side_by_side(rows: Sequence[dict]) -> tuple[list[str], list[list[str]]]:
    """Header and lines with a column for every contrast, as in the MAD paper: MAE, share under 5 mm, trials."""
    contrasts = sorted({row["contrast"] for row in rows})
    summaries = grouped(rows, ["level", "method", "contrast"])
    lines = []
    for level, method in sorted(grouped(rows, ["level", "method"]), key=lambda key: _place(rows, "level", key[0])):
        cells = []
        for contrast in contrasts:
            summary = summaries.get((level, method, contrast))
            cells.append(f"{_mm(summary.mean)} mm, {summary.under_5:.0%} of {summary.trials}" if summary else "")
        lines.append([level, method, *cells])
    return ["level", "method", *contrasts], lines


def _place(rows: Sequence[dict], field: str, value: object) -> int:
    """Where a value of a field first occurs."""
    return next(number for number, row in enumerate(rows) if row[field] == value)
