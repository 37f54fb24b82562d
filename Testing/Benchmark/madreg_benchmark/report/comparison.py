"""A run's tables and plots, each with what it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from madreg_benchmark.report import plots
from madreg_benchmark.report.page import write_page
from madreg_benchmark.report.provenance import made_from
from madreg_benchmark.report.tables import markdown, side_by_side, table, write_csv

CLOCKS = {
    "in-process": "Time: from the two files to the matrix, reading included, imports excluded.",
    "fresh-process": "Time and memory: of a new process a trial, from its start to its exit, imports included.",
}


def caption(rows: Sequence[dict]) -> str:
    """Commit, weights, seed, size, machine and command behind a set of rows."""

    def values(field: str) -> str:
        return ", ".join(sorted({str(row[field]) for row in rows}))

    trials = 1 + max(row["trial"] for row in rows)
    size = f"{len({row['case'] for row in rows})} cases x {trials} trial{'s' * (trials > 1)} a level"
    return made_from(values("commit"), values("weights"), values("seed"), f"{size}; {values('clock')} clock")


def _accuracies(rows: Sequence[dict]) -> str:
    """A line for each accuracy of the truth that is known, with its cases."""
    cases: dict[float, list[str]] = {}
    for name, good_to in dict.fromkeys((row["case"], row.get("good_to_mm")) for row in rows):
        if good_to is not None:
            cases.setdefault(good_to, []).append(name)
    return "".join(
        f"- The truth of {', '.join(names)} is good to {good_to:g} mm: errors below that do not rank methods.\n"
        for good_to, names in sorted(cases.items())
    )


def _notes(rows: Sequence[dict], notices: Sequence[str]) -> str:
    """What has to be known of the figures: clocks, accuracies, notices, and trials that ended otherwise."""
    return (
        "".join(f"- {CLOCKS[clock]}\n" for clock in sorted({row["clock"] for row in rows}))
        + "- A run that ended with a message counts as not successful; its error is the displacement given.\n"
        + _accuracies(rows)
        + "".join(f"- {notice}\n" for notice in notices)
        + "".join(
            f"- {row['method']} on {row['case']}, {row['level']} {row['trial']}: {row['note']}\n"
            for row in rows
            if row["note"]
        )
    )


def write_report(rows: Sequence[dict], notices: Sequence[str], out: Path) -> str:
    """Write ``summary.csv``, ``contrasts.csv``, ``by_contrast.csv``, ``by_case.csv``, ``results.md`` and the plots.

    Returns:
        The table by level, in Markdown.
    """
    source = caption(rows)
    page = ["# Comparison of methods\n"]
    first = ""
    for name, title, by in [
        ("summary", "By level", ["level", "method"]),
        ("by_contrast", "By contrast", ["contrast", "level", "method"]),
        ("by_case", "By case", ["case", "level", "method"]),
    ]:
        header, lines = table(rows, by)
        write_csv(out / f"{name}.csv", header, lines)
        text = markdown(header, lines)
        first = first or text
        if name != "by_case":
            page.append(f"## {title}\n\n{text}\n{source}\n")
    header, lines = side_by_side(rows)
    write_csv(out / "contrasts.csv", header, lines)
    page.insert(
        2,
        f"## Contrasts side by side\n\nMean error (MAE), and the share of trials under 5 mm.\n\n"
        f"{markdown(header, lines)}\n{source}\n",
    )
    for name, title, draw in [
        ("success", "Share of trials under 5 mm", plots.success),
        ("errors", "Error of every trial", plots.errors),
        ("time", "Time against success", plots.time_against_success),
    ]:
        plots.save(draw(rows), source, out / name)
        page.append(f"## {title}\n\n![{title}]({name}.png)\n\n{source}\n")
    page += ["## Notes\n", _notes(rows, notices)]
    write_page(out / "results.md", "\n".join(page))
    return first
