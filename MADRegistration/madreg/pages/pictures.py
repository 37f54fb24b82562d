"""The pictures of a page, as JPEG."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..image.volume import Volume
from ..pictures.planes import foreground_box
from ..pictures.sheet import COLORS, FULL_MM, LEFT, Row, draw_rows
from ..system.plotting import plain_matplotlib

if TYPE_CHECKING:
    from ..quality.error_map import ErrorMap

DPI = 110
QUALITY = 88


@dataclass(frozen=True)
class Pictures:
    """JPEG files of a page.

    Attributes:
        scans: the fixed scan, the moving one, and the edges of the moving one on the fixed one.
        mixed: both laid over each other, and as a checkerboard.
        errors: edges, and the estimated error, where that is largest; None if it is unknown.
    """

    scans: bytes
    mixed: bytes
    errors: bytes | None


@plain_matplotlib()
def draw(fixed: Volume, moving: Volume, matrix: np.ndarray, errors: ErrorMap | None) -> Pictures:
    """Draw the pictures of an alignment.

    Args:
        matrix: 4x4, fixed LPS to moving LPS, mm.
        errors: the estimated local error; None if it is unknown.
    """
    low, high = foreground_box(fixed)
    middle = (low + high) / 2

    def jpeg(point: np.ndarray, *kinds: str) -> bytes:
        rows = [Row(kind, matrix, NAMES[kind]) for kind in kinds]
        margins = (0.3, 0.45 if "error" in kinds else 0.05)
        figure = draw_rows(fixed, moving, rows, point, low, high, errors, "white", margins)
        if "error" in kinds:
            width, height = figure.get_size_inches()
            axes = figure.add_axes((LEFT / width, 0.26 / height, 3 / width, 0.12 / height))
            axes.imshow(np.linspace(0, 1, 256)[None], cmap=COLORS, aspect="auto", extent=(0, FULL_MM, 0, 1))
            axes.set_yticks([])
            ticks = np.arange(FULL_MM + 1)
            axes.set_xticks(ticks, [*(f"{one:.0f}" for one in ticks[:-1]), f"{FULL_MM:.0f} mm or more"], fontsize=9)
        stream = io.BytesIO()
        figure.savefig(stream, format="jpeg", dpi=DPI, pil_kwargs={"quality": QUALITY, "subsampling": 0})
        return stream.getvalue()

    return Pictures(
        jpeg(middle, "fixed", "moving", "edges"),
        jpeg(middle, "overlay", "checkerboard"),
        None if errors is None else jpeg(np.clip(errors.worst_point, low, high), "edges", "error"),
    )


NAMES = {
    "fixed": "fixed scan",
    "moving": "moving scan",
    "edges": "edges",
    "overlay": "both scans",
    "checkerboard": "checkerboard",
    "error": "error",
}
