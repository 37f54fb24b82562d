"""A picture of a registration: before, after and as a checkerboard, in three planes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..image.geometry import apply
from ..image.volume import Volume
from ..system.plotting import plain_matplotlib
from .planes import EDGE_COLOR, foreground_box
from .sheet import Row, draw_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REACH_MM = 25.0


@plain_matplotlib()
def draw(
    fixed: Volume,
    moving: Volume,
    before: np.ndarray | None,
    after: np.ndarray,
    title: str = "",
    before_note: str = "",
    after_note: str = "",
) -> Figure:
    """Draw fixed in grey with the moving volume's edges in orange, before and after, and both as a checkerboard.

    The planes run through the middle of the fixed foreground, along the world's axes, in true proportions whatever the
    voxels' shape.

    Args:
        before, after: 4x4, fixed LPS to moving LPS, mm; without ``before``, that row is left out.
        title: a line above everything.
        before_note, after_note: what stands at the rows, such as the error in mm.

    Returns:
        A matplotlib figure of its own, to be saved with ``figure.savefig(path)``.
    """
    low, high = foreground_box(fixed)
    middle = (low + high) / 2
    rows = [Row("edges", after, "after", after_note), Row("checkerboard", after, "checkerboard", "after")]
    if before is None:
        rows = [replace(row, name=row.kind, note=after_note if row.kind == "edges" else "") for row in rows]
    else:
        rows.insert(0, Row("edges", before, "before", before_note))
        low, high = _widened(low, high, moving, before)
    figure = draw_rows(fixed, moving, rows, middle, low, high)
    width, height = figure.get_size_inches()
    if title:
        figure.suptitle(title, color="white", fontsize=13, y=1 - 0.22 / height, va="center", parse_math=False)
    left, y = 0.6, 0.25 / height
    figure.text(left / width, y, "grey: fixed", color="0.8", fontsize=10, va="center")
    figure.text(
        (left + 1.1) / width,
        y,
        "orange: moving (its edges, and its squares of the checkerboard)",
        color=EDGE_COLOR,
        fontsize=10,
        va="center",
    )
    return figure


def _widened(low: np.ndarray, high: np.ndarray, moving: Volume, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The box from ``low`` to ``high``, widened by up to REACH_MM towards where the moving volume lay before."""
    corners = np.array(np.meshgrid(*zip(*foreground_box(moving), strict=True))).reshape(3, -1).T
    corners = apply(np.linalg.inv(before), corners)
    return np.clip(corners.min(0), low - REACH_MM, low), np.clip(corners.max(0), high, high + REACH_MM)
