"""The README is short, its figures are those of the results, and its thresholds are those of the code."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from madreg.quality import verdict

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MOST_WORDS = 700
METHODS = {
    "**MADRegistration**": ("peers", "default"),
    "Greedy, global search": ("peers", "peer:greedy_search"),
    "ANTs": ("all_peers", "peer:ants"),
    "elastix": ("all_peers", "peer:elastix"),
    "Mattes MI (SimpleITK)": ("all_peers", "peer:mattes"),
}
"""Rows of the table: folder of the results, method."""
LEVELS = ["large", "any", "affine", "anycrop"]
"""Columns of the table."""


def row(text: str, name: str) -> list[str]:
    """The cells of a row of a Markdown table, after the first, which is ``name``."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_it_is_short() -> None:
    shown = re.sub(r"<!--.*?-->", "", README, flags=re.DOTALL)
    words = [word for word in shown.split() if re.search(r"\w", word)]
    assert len(words) <= MOST_WORDS


def test_slicer_comes_before_the_command_line() -> None:
    headings = re.findall(r"^## (.*)$", README, re.MULTILINE)
    assert headings.index("In 3D Slicer") == 0
    assert headings.index("Command line") > headings.index("In 3D Slicer")


def test_the_tutorial_has_five_steps() -> None:
    tutorial = README.split("### Tutorial")[1].split("\n#")[0]
    assert re.findall(r"^(\d)\. ", tutorial, re.MULTILINE) == list("12345")


@pytest.mark.parametrize("name", METHODS)
def test_figures_are_those_of_the_results(name: str) -> None:
    folder, method = METHODS[name]
    with (ROOT / "docs" / "results" / folder / "summary.csv").open(encoding="utf-8", newline="") as file:
        rows = {line["level"]: line for line in csv.DictReader(file) if line["method"] == method}
    cells = row(README, name)
    assert len(cells) == len(LEVELS)
    for level, cell in zip(LEVELS, cells, strict=True):
        right, trials, median = re.fullmatch(r"(\d+)/(\d+), ([\d.]+) mm", cell).groups()
        assert trials == rows[level]["trials"]
        assert f"{100 * int(right) / int(trials):.0f}%" == rows[level]["under 5 mm"], level
        assert float(median) == pytest.approx(float(rows[level]["median mm"])), level


def test_the_verdict_is_that_of_the_code() -> None:
    assert f"up to {verdict.ALIGNED_MM:g} mm" in row(README, "ALIGNED")[0]
    assert f"above {verdict.FAILED_MM:g} mm" in row(README, "FAILED")[0]
