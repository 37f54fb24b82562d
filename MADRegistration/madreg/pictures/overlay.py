"""A picture of a registration: before, after and as a checkerboard, in three planes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk
import torch

from ..image.geometry import apply
from ..image.smoothing import smooth
from ..image.volume import Volume
from .checkerboard import SQUARE_MM, every_other

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN_MM = 8.0
REACH_MM = 25.0
_PIXELS = 380  # of a picture, along its longer side
_EDGE_COLOR = (1.0, 0.62, 0.1)
_TINT = (1.0, 0.82, 0.55)  # of the moving image in the checkerboard

# Directions of a picture's rows (downwards) and columns (to the right) in LPS, as radiologists and Slicer show them:
# the patient's left is on the right, and in the sagittal plane the nose is on the left.
_PLANES = {
    "axial": ((0, 1, 0), (1, 0, 0)),
    "coronal": ((0, 0, -1), (1, 0, 0)),
    "sagittal": ((0, 0, -1), (0, 1, 0)),
}


def draw(
    fixed: Volume,
    moving: Volume,
    before: np.ndarray,
    after: np.ndarray,
    title: str = "",
    before_note: str = "",
    after_note: str = "",
) -> Figure:
    """Draw fixed in grey with the moving volume's edges in orange, before and after, and both as a checkerboard.

    The planes run through the middle of the fixed content, along the world's axes, in true proportions whatever the
    voxels' shape.

    Args:
        before, after: 4x4, fixed LPS to moving LPS, mm.
        title: a line above everything.
        before_note, after_note: what stands at the rows, such as the error in mm.

    Returns:
        A matplotlib figure of its own, to be saved with ``figure.savefig(path)``.
    """
    from matplotlib.figure import Figure  # without pyplot: no display, no global state

    low, high = _content_box(fixed)
    middle = (low + high) / 2
    low, high = _widened(low, high, moving, before)
    center, half = (low + high) / 2, (high - low) / 2 + MARGIN_MM
    half[1:] = half[1:].max()  # one height, and so one scale, for all three planes
    step = 2 * half.max() / _PIXELS
    # smoothed in its own voxels, so that edges are those of structures rather than of noise
    outline = _smoothed(moving, max(1.2, float(step)))

    width, scale = 10.5, 9.8 / (2 * (2 * half[0] + half[1]))  # inches, inches per mm
    left, top, bottom = 0.6, 0.85, 0.5
    height = 3 * 2 * half[2] * scale + top + bottom
    figure = Figure(figsize=(width, height), facecolor="black")
    grid = figure.add_gridspec(
        3,
        3,
        left=left / width,
        right=(left + 9.8) / width,
        top=1 - top / height,
        bottom=bottom / height,
        wspace=0.01,
        hspace=0.01,
        width_ratios=[half[0], half[0], half[1]],
    )
    shade, shade_moving = _tone(fixed), _tone(moving)
    rows = (("before", before_note), ("after", after_note), ("checkerboard", "after"))
    for column, (plane, (down, right)) in enumerate(_PLANES.items()):
        points, extent = _plane(center, middle, half, np.array(down, float), np.array(right, float), step)
        grey = shade(fixed.sample(points)[0].numpy())
        pictures = (
            _with_edges(grey, _edges(outline, points, before)),
            _with_edges(grey, _edges(outline, points, after)),
            _checkerboard(grey, shade_moving(moving.sample(_mapped(points, after))[0].numpy()), extent),
        )
        for row, picture in enumerate(pictures):
            axes = figure.add_subplot(grid[row, column])
            axes.imshow(picture, extent=extent, interpolation="bilinear")
            axes.set_axis_off()
            if row == 0:
                axes.set_title(plane, color="0.75", fontsize=11, pad=5)
            if column == 0:
                _label_row(axes, *rows[row])
    _add_scale_bar(figure.axes[-1], extent)
    if title:
        figure.suptitle(title, color="white", fontsize=13, y=1 - 0.22 / height, va="center", parse_math=False)
    y = 0.25 / height
    figure.text(left / width, y, "grey: fixed", color="0.8", fontsize=10, va="center")
    figure.text(
        (left + 1.1) / width,
        y,
        "orange: moving (its edges, and its squares of the checkerboard)",
        color=_EDGE_COLOR,
        fontsize=10,
        va="center",
    )
    return figure


def _content_box(volume: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest LPS corner (3,) of where a volume shows something, in mm; outliers are left out."""
    coarse = volume.resampled(max(4.0, float(volume.grid.spacing.max())))
    shown = (coarse.data > 0.12) & coarse.mask
    if not shown.any():
        shown = coarse.mask
    points = coarse.grid.points()[shown].numpy()
    return np.percentile(points, 0.2, axis=0), np.percentile(points, 99.8, axis=0)


def _widened(low: np.ndarray, high: np.ndarray, moving: Volume, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The box from ``low`` to ``high``, widened by up to REACH_MM towards where the moving volume lay before."""
    corners = np.array(np.meshgrid(*zip(*_content_box(moving), strict=True))).reshape(3, -1).T
    corners = apply(np.linalg.inv(before), corners)
    return np.clip(corners.min(0), low - REACH_MM, low), np.clip(corners.max(0), high, high + REACH_MM)


def _tone(volume: Volume) -> Callable[[np.ndarray], np.ndarray]:
    """A tone curve that makes the middle intensity of what a volume shows a middle grey."""
    shown = volume.data[(volume.data > 0.12) & volume.mask]
    middle = float(shown.median()) if len(shown) else 0.5
    gamma = float(np.clip(np.log(0.5) / np.log(np.clip(middle, 0.05, 0.95)), 0.5, 1.5))
    return lambda values: np.clip(values, 0, None) ** gamma


def _smoothed(volume: Volume, sigma_mm: float) -> Volume:
    sigma = sigma_mm / volume.grid.spacing
    return Volume(volume.name, smooth(volume.data, np.where(sigma > 0.5, sigma, 0)), volume.grid, volume.mask)


def _plane(
    center: np.ndarray, middle: np.ndarray, half: np.ndarray, down: np.ndarray, right: np.ndarray, step: float
) -> tuple[torch.Tensor, tuple[float, float, float, float]]:
    """Points (rows, columns, 3) of a plane through ``middle``, and its extent (left, right, bottom, top) in mm."""
    reach = [abs(direction) @ half for direction in (down, right)]
    along = [np.linspace(-r, r, max(int(round(2 * r / step)), 2)) for r in reach]
    normal = np.cross(down, right)
    origin = center + normal * (normal @ (middle - center))
    points = origin + along[0][:, None, None] * down + along[1][None, :, None] * right
    return torch.as_tensor(points, dtype=torch.float32), (-reach[1], reach[1], -reach[0], reach[0])


def _mapped(points: torch.Tensor, matrix: np.ndarray) -> torch.Tensor:
    matrix = torch.tensor(matrix, dtype=points.dtype)
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def _edges(volume: Volume, points: torch.Tensor, matrix: np.ndarray) -> np.ndarray:
    """Edges (rows, columns) of a volume in a plane, 0 or 1 (Canny)."""
    image, there = (a.numpy() for a in volume.sample(_mapped(points, matrix)))
    size = np.hypot(*np.gradient(image))
    inside = (image > 0.1) & (there > 0.99)
    if not inside.any() or size.max() == 0:
        return np.zeros(size.shape)
    strong = float(np.percentile(size[inside], 97))
    found = sitk.CannyEdgeDetection(
        sitk.GetImageFromArray(image.astype(np.float32)), 0.2 * strong, 0.5 * strong, [0.5, 0.5]
    )
    return sitk.GetArrayFromImage(found) * (there > 0.99)


def _with_edges(grey: np.ndarray, edges: np.ndarray) -> np.ndarray:
    base = np.clip(grey * 0.8, 0, 1)[..., None] * np.ones(3)
    # a line of one sample is hard to see: let it bleed into its neighbours
    wide = np.maximum.reduce([edges, *(0.55 * np.roll(edges, s, a) for s in (-1, 1) for a in (0, 1))])[..., None]
    return np.clip(base * (1 - wide) + np.array(_EDGE_COLOR) * wide, 0, 1)  # rounding goes beyond


def _checkerboard(grey: np.ndarray, other: np.ndarray, extent: tuple[float, ...]) -> np.ndarray:
    rows, columns = grey.shape
    y, x = np.linspace(extent[3], extent[2], rows), np.linspace(extent[0], extent[1], columns)
    odd = every_other(y + SQUARE_MM / 2, x + SQUARE_MM / 2)[..., None]  # a square lies in the middle of the picture
    return np.clip(np.where(odd, other[..., None] * np.array(_TINT), grey[..., None] * np.ones(3)) * 0.85, 0, 1)


def _label_row(axes: Axes, name: str, note: str) -> None:
    axes.text(
        -0.03,
        0.5,
        f"{name}\n{note}" if note else name,
        color="white",
        fontsize=12,
        rotation=90,
        ha="right",
        va="center",
        transform=axes.transAxes,
        linespacing=1.4,
    )


def _add_scale_bar(axes: Axes, extent: tuple[float, float, float, float]) -> None:
    """A bar of 50 mm in the lower right corner."""
    left, right, bottom, top = extent
    x, y = right - 0.04 * (right - left), bottom + 0.04 * (top - bottom)
    axes.plot([x - 50, x], [y, y], color="white", linewidth=2.5, solid_capstyle="butt")
    axes.text(x - 25, y + 0.015 * (top - bottom), "50 mm", color="white", fontsize=9, ha="center", va="bottom")
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
