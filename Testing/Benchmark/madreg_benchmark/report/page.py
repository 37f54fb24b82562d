"""Pages in Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from madreg_benchmark.report.plots import save

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_page(path: Path, text: str) -> None:
    """Write a page."""
    path.write_text(text, encoding="utf-8")


def write_illustrated(path: Path, title: str, text: str, figure: Figure, made_from: str) -> None:
    """Write a page of one text and one figure, and the figure beside it under the same name.

    Args:
        path: of the page, without a suffix.
        text: paragraphs and tables.
        made_from: the line that goes under both.
    """
    save(figure, made_from, path)
    write_page(
        path.with_suffix(".md"),
        f"# {title}\n\n{text.rstrip()}\n\n{made_from}\n\n![{title}]({path.name}.png)\n\n{made_from}\n",
    )
