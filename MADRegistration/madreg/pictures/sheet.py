"""Pictures of a pair in rows, each in three planes: either scan, both mixed in several ways, the estimated error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..image.volume import Volume
from .planes import (
    PLANES,
    add_scale_bar,
    checkerboard,
    edges,
    label_row,
    mapped,
    plane,
    smoothed,
    tinted,
    tone,
    with_edges,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..quality.error_map import ErrorMap

KINDS = ("fixed", "moving", "edges", "overlay", "checkerboard", "error")
MARGIN_MM = 8.0
FULL_MM = 5.0
"""Error shown in the last color."""
COLORS = "turbo"
OPACITY = 0.55
WIDTH, LEFT = 9.8, 0.6  # inches: of the pictures, and beside them
MARGINS = (0.85, 0.5)  # above and below them, for a title and a legend
PIXELS = 380  # of a picture, along its longer side


@dataclass(frozen=True)
class Row:
    """A row of pictures.

    Attributes:
        kind: one of :data:`KINDS`: ``fixed`` or ``moving`` alone; on the fixed one ``edges`` of the moving one, or an
            ``overlay`` of it; a ``checkerboard`` of both; the estimated ``error`` in color on the fixed one.
        matrix: 4x4, fixed LPS to moving LPS, mm.
        name, note: what stands beside it.
    """

    kind: str
    matrix: np.ndarray
    name: str
    note: str = ""


@dataclass(frozen=True)
class _Painter:
    """What draws one picture."""

    fixed: Volume
    moving: Volume
    errors: ErrorMap | None
    step: float

    @cached_property
    def shades(self) -> tuple[Callable[[np.ndarray], np.ndarray], ...]:
        return tone(self.fixed), tone(self.moving)

    @cached_property
    def outline(self) -> Volume:
        """Smoothed in its own voxels, so that edges are those of structures rather than of noise."""
        return smoothed(self.moving, max(1.2, self.step))

    def picture(self, row: Row, points: torch.Tensor, extent: tuple[float, float, float, float]) -> np.ndarray:
        """RGB (rows, columns, 3), 0 to 1."""
        shade, shade_moving = self.shades
        grey = shade(self.fixed.sample(points)[0].numpy())
        if row.kind == "fixed":
            return tinted(grey)
        if row.kind == "edges":
            return with_edges(grey, edges(self.outline, points, row.matrix))
        if row.kind == "error":
            return self._colored(grey, points)
        other = shade_moving(self.moving.sample(mapped(points, row.matrix))[0].numpy())
        if row.kind == "moving":
            return tinted(other)
        if row.kind == "overlay":
            return np.clip(tinted(grey, (0.1, 0.75, 0.85)) + tinted(other, (0.9, 0.25, 0.15)), 0, 1)
        return checkerboard(grey, other, extent)

    def _colored(self, grey: np.ndarray, points: torch.Tensor) -> np.ndarray:
        from matplotlib import colormaps

        if self.errors is None:
            return tinted(grey)
        amount, known = self.errors.sampled(points)
        colors = colormaps[COLORS](np.clip(amount / FULL_MM, 0, 1))[..., :3]
        share = OPACITY * known[..., None]
        return (1 - share) * tinted(grey) + share * colors


def draw_rows(
    fixed: Volume,
    moving: Volume,
    rows: Sequence[Row],
    middle: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    errors: ErrorMap | None = None,
    paper: str = "black",
    margins: tuple[float, float] = MARGINS,
) -> Figure:
    """Draw rows of pictures, each in an axial, a coronal and a sagittal plane.

    Args:
        middle: (3,) LPS mm, the point that all planes run through.
        low, high: (3,) LPS mm, corners of the box that is shown.
        errors: for the rows of kind ``error``.
        paper: color around the pictures, ``black`` or ``white``.
        margins: inches above and below them.

    Returns:
        A matplotlib figure of its own.
    """
    from matplotlib.figure import Figure  # without pyplot: no display, no global state

    center, half = (low + high) / 2, (high - low) / 2 + MARGIN_MM
    half[1:] = half[1:].max()  # one height, and so one scale, for all three planes
    step = float(2 * half.max() / PIXELS)
    painter = _Painter(fixed, moving, errors, step)
    ink, faint = ("white", "0.75") if paper == "black" else ("black", "0.3")

    width, scale = WIDTH + 0.7, WIDTH / (2 * (2 * half[0] + half[1]))  # inches, inches per mm
    top, bottom = margins
    height = len(rows) * 2 * half[2] * scale + top + bottom
    figure = Figure(figsize=(width, height), facecolor=paper)
    grid = figure.add_gridspec(
        len(rows),
        3,
        left=LEFT / width,
        right=(LEFT + WIDTH) / width,
        top=1 - top / height,
        bottom=bottom / height,
        wspace=0.01,
        hspace=0.01,
        width_ratios=[half[0], half[0], half[1]],
    )
    for column, (name, (down, right)) in enumerate(PLANES.items()):
        points, extent = plane(center, middle, half, np.array(down, float), np.array(right, float), step)
        for number, row in enumerate(rows):
            axes = figure.add_subplot(grid[number, column])
            axes.imshow(painter.picture(row, points, extent), extent=extent, interpolation="bilinear")
            axes.set_axis_off()
            if number == 0:
                axes.set_title(name, color=faint, fontsize=11, pad=5)
            if column == 0:
                label_row(axes, row.name, row.note, ink)
    add_scale_bar(figure.axes[-1], extent)
    return figure
