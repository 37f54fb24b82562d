"""Tables and picture of what :mod:`madreg_benchmark.studies.trainings` found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from madreg_benchmark.report.page import write_page
from madreg_benchmark.report.plots import new_figure, save
from madreg_benchmark.report.tables import markdown, write_csv
from madreg_benchmark.studies.trainings import Found

COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999"]
SMALLEST_DRAWN_MM = 0.1


@dataclass(frozen=True)
class Page:
    """What a study's page says of itself.

    Attributes:
        name: of the study and its files.
        title: of the page.
        variation: where the spread between trainings can be seen instead, in brackets.
    """

    name: str
    title: str
    variation: str


def _interval(values: Sequence[float], digits: int) -> str:
    return " to ".join(f"{value:.{digits}f}" for value in values)


def _kinds(trained: Sequence[dict]) -> list[str]:
    return list(trained[0]["figures"])


def prediction_table(trained: Sequence[dict]) -> str:
    """What each trained network predicts, by kind of pair, and what a constant would reach."""
    kinds = _kinds(trained)
    header = [
        "variant",
        "differs in",
        "pairs",
        *(text for kind in kinds for text in (f"{kind}: MAE mm (95 %)", f"{kind}: Pearson, Spearman")),
    ]
    lines = []
    for row in trained:
        line = [row["variant"], row["differs"], str(row["pairs"] or "")]
        for kind in kinds:
            of = row["figures"][kind]
            line += [
                f"{of['mae']:.1f} ({_interval(of['mae_interval'], 1)})",
                f"{of['pearson']:.2f}, {of['spearman']:.2f}",
            ]
        lines.append(line)
    constant = ["a constant", "the median distance", ""]
    for kind in kinds:
        constant += [f"{trained[0]['figures'][kind]['mae_of_the_median']:.1f}", "0, 0"]
    return markdown(header, [*lines, constant])


def registration_table(registered: Sequence[dict]) -> str:
    """Error in mm of every registration: a line a measure, a column a case and level."""
    columns = list(dict.fromkeys((row["level"], row["case"]) for row in registered))
    before = {(row["level"], row["case"]): row["before_mm"] for row in registered}
    lines = [["not registered", *(f"{before[column]:.1f}" for column in columns)]]
    for by in dict.fromkeys(row["by"] for row in registered):
        errors = {(row["level"], row["case"]): f"{row['error_mm']:.1f}" for row in registered if row["by"] == by}
        lines.append([by, *(errors.get(column, "") for column in columns)])
    return markdown(["measure or network", *(f"{case}, {level}" for level, case in columns)], lines)


def draw(trained: Sequence[dict], registered: Sequence[dict]):
    """Figure: error of the predicted distance (left) and of registration at the farthest level (right)."""
    names = [row["variant"] for row in trained]
    names += [by for by in dict.fromkeys(row["by"] for row in registered) if by not in names]
    figure, (left, right) = new_figure(8.0, 1.4 + max(0.22 * len(names), 1.8), 2)
    _draw_predictions(left, trained)
    _draw_registrations(right, registered, names)
    left.set_yticks(range(len(names)), names, fontsize=8)
    left.set_ylim(len(names) - 0.5, -0.5)
    for axes in (left, right):
        axes.axhline(len(trained) - 0.5, color="0.8", linewidth=0.8)
        axes.grid(axis="x", color="0.92")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=7, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return figure


def _draw_predictions(axes, trained: Sequence[dict]) -> None:
    """The mean absolute error of each network and its interval, by kind of pair; a line a network."""
    kinds = _kinds(trained)
    for number, kind in enumerate(kinds):
        shift = (number - (len(kinds) - 1) / 2) * 0.22
        color = COLORS[number % len(COLORS)]
        places = [place + shift for place in range(len(trained))]
        axes.hlines(
            places,
            *zip(*(row["figures"][kind]["mae_interval"] for row in trained), strict=True),
            color=color,
            linewidth=1.2,
        )
        axes.scatter([row["figures"][kind]["mae"] for row in trained], places, s=12, color=color, label=kind)
        axes.axvline(trained[0]["figures"][kind]["mae_of_the_median"], color=color, linewidth=0.8, linestyle=":")
    axes.set_xlabel("MAE of the predicted distance, mm (dotted: a constant)", fontsize=8)
    axes.set_xlim(0, None)


def _draw_registrations(axes, registered: Sequence[dict], names: Sequence[str]) -> None:
    """The error of each registration at the last level, by case; a line a name."""
    from matplotlib.ticker import LogLocator

    level = registered[-1]["level"]
    for number, case in enumerate(dict.fromkeys(row["case"] for row in registered)):
        some = [row for row in registered if row["case"] == case and row["level"] == level]
        axes.scatter(
            [max(row["error_mm"], SMALLEST_DRAWN_MM) for row in some],
            [names.index(row["by"]) for row in some],
            s=20,
            marker="osD^v<>"[number % 7],
            color=COLORS[(3 + number) % len(COLORS)],
            alpha=0.85,
            label=case,
        )
    axes.axvline(5, color="0.6", linewidth=0.8, linestyle=":")
    axes.set_xlabel(f"error of registration, level {level}, mm (dotted: 5 mm)", fontsize=8)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.tick_params(which="minor", labelbottom=False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _write_tables(page: Page, found: Found, out: Path) -> None:
    """Write ``NAME.csv`` and ``NAME_registered.csv``."""
    names = ("mae", "pearson", "spearman")
    fields = ["group", "variant", "differs", "pairs", "seconds_per_pair", "processor_seconds", "commit"]
    fields = [name for name in fields if name in found.trained[0]]
    header = [
        *fields,
        "kind",
        *(text for name in names for text in (name, f"{name}_low", f"{name}_high")),
        "mae_of_the_median",
    ]
    lines = [
        [
            *(row[name] for name in fields),
            kind,
            *(value for name in names for value in (of[name], *of[f"{name}_interval"])),
            of["mae_of_the_median"],
        ]
        for row in found.trained
        for kind, of in row["figures"].items()
    ]
    write_csv(out / f"{page.name}.csv", header, lines)
    fields = ["by", "case", "contrast", "level", "before_mm", "error_mm", "processor_seconds", "commit"]
    lines = [[row[name] for name in fields] for row in found.registered]
    write_csv(out / f"{page.name}_registered.csv", fields, lines)


def write_trainings(page: Page, found: Found, made_from: str, out: Path) -> str:
    """Write ``NAME.csv``, ``NAME_registered.csv``, ``NAME.md`` and the plot; return the tables."""
    trained, registered = found.trained, found.registered
    _write_tables(page, found, out)
    commits = ", ".join(dict.fromkeys(row["commit"] for row in [*trained, *registered]))
    made_from = (
        f"{made_from}; trained and registered at commit {commits}, reference: {trained[0]['pairs']} pairs of "
        f"{trained[0]['size']}^3 voxels"
    )
    predicted, errors = prediction_table(trained), registration_table(registered)
    save(draw(trained, registered), made_from, out / page.name)
    write_page(
        out / f"{page.name}.md",
        f"# {page.title}\n\nEach network was trained once, with one seed; intervals are a bootstrap over "
        f"validation pairs and do not cover the spread between trainings {page.variation}.\n\n"
        f"## Error of the predicted distance, 0 to 60 mm\n\n{predicted}\n{made_from}\n\n"
        f"## Error of registration in mm, one trial each, from the centres of geometry\n\n{errors}\n{made_from}\n\n"
        f"![{page.title}]({page.name}.png)\n\n{made_from}\n",
    )
    return f"{predicted}\n{errors}"
