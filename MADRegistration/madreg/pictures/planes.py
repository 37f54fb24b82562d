"""Planes through a pair of volumes, as radiologists look at them, and what is drawn in one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk
import torch

from ..image.smoothing import smooth
from ..image.volume import Volume
from .checkerboard import SQUARE_MM, every_other

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EDGE_COLOR = (1.0, 0.62, 0.1)
TINT = (1.0, 0.82, 0.55)  # of the moving image in the checkerboard

# Directions of a picture's rows (downwards) and columns (to the right) in LPS, as radiologists and Slicer show them:
# the patient's left is on the right, and in the sagittal plane the nose is on the left.
PLANES = {
    "axial": ((0, 1, 0), (1, 0, 0)),
    "coronal": ((0, 0, -1), (1, 0, 0)),
    "sagittal": ((0, 0, -1), (0, 1, 0)),
}


def foreground_box(volume: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest LPS corner (3,) of where a volume shows something, in mm; outliers are left out."""
    coarse = volume.resampled(max(4.0, float(volume.grid.spacing.max())))
    shown = (coarse.data > 0.12) & coarse.mask
    if not shown.any():
        shown = coarse.mask
    points = coarse.grid.points()[shown].numpy()
    return np.percentile(points, 0.2, axis=0), np.percentile(points, 99.8, axis=0)


def tone(volume: Volume) -> Callable[[np.ndarray], np.ndarray]:
    """A tone curve that makes the middle intensity of what a volume shows a middle grey."""
    shown = volume.data[(volume.data > 0.12) & volume.mask]
    middle = float(shown.median()) if len(shown) else 0.5
    gamma = float(np.clip(np.log(0.5) / np.log(np.clip(middle, 0.05, 0.95)), 0.5, 1.5))
    return lambda values: np.clip(values, 0, None) ** gamma


def smoothed(volume: Volume, sigma_mm: float) -> Volume:
    """A volume smoothed by a Gaussian, where its voxels are fine enough to show that."""
    sigma = sigma_mm / volume.grid.spacing
    return Volume(volume.name, smooth(volume.data, np.where(sigma > 0.5, sigma, 0)), volume.grid, volume.mask)


def plane(
    center: np.ndarray, middle: np.ndarray, half: np.ndarray, down: np.ndarray, right: np.ndarray, step: float
) -> tuple[torch.Tensor, tuple[float, float, float, float]]:
    """Points (rows, columns, 3) of a plane through ``middle``, and its extent (left, right, bottom, top) in mm."""
    reach = [abs(direction) @ half for direction in (down, right)]
    along = [np.linspace(-r, r, max(round(float(2 * r / step)), 2)) for r in reach]
    normal = np.cross(down, right)
    origin = center + normal * (normal @ (middle - center))
    points = origin + along[0][:, None, None] * down + along[1][None, :, None] * right
    return torch.as_tensor(points, dtype=torch.float32), (-reach[1], reach[1], -reach[0], reach[0])


def mapped(points: torch.Tensor, matrix: np.ndarray) -> torch.Tensor:
    """Points (..., 3) mapped by a 4x4 matrix."""
    by = torch.tensor(matrix, dtype=points.dtype)
    return points @ by[:3, :3].T + by[:3, 3]


def edges(volume: Volume, points: torch.Tensor, matrix: np.ndarray) -> np.ndarray:
    """Edges (rows, columns) of a volume in a plane, 0 or 1 (Canny)."""
    image, there = (a.numpy() for a in volume.sample(mapped(points, matrix)))
    size = np.hypot(*np.gradient(image))
    inside = (image > 0.1) & (there > 0.99)
    if not inside.any() or size.max() == 0:
        return np.zeros(size.shape)
    strong = float(np.percentile(size[inside], 97))
    found = sitk.CannyEdgeDetection(
        sitk.GetImageFromArray(image.astype(np.float32)), 0.2 * strong, 0.5 * strong, [0.5, 0.5]
    )
    return sitk.GetArrayFromImage(found) * (there > 0.99)


def tinted(grey: np.ndarray, color: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> np.ndarray:
    """A grey picture in a color; RGB (rows, columns, 3)."""
    return np.clip(grey * 0.9, 0, 1)[..., None] * np.array(color)


def with_edges(grey: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Edges in orange on a grey picture; RGB (rows, columns, 3)."""
    base = np.clip(grey * 0.8, 0, 1)[..., None] * np.ones(3)
    # a line of one sample is hard to see: let it bleed into its neighbours
    wide = np.maximum.reduce([edges, *(0.55 * np.roll(edges, s, a) for s in (-1, 1) for a in (0, 1))])[..., None]
    return np.clip(base * (1 - wide) + np.array(EDGE_COLOR) * wide, 0, 1)  # rounding goes beyond


def checkerboard(grey: np.ndarray, other: np.ndarray, extent: tuple[float, ...]) -> np.ndarray:
    """Squares of two grey pictures in turn, those of the other one tinted; RGB (rows, columns, 3)."""
    rows, columns = grey.shape
    y, x = np.linspace(extent[3], extent[2], rows), np.linspace(extent[0], extent[1], columns)
    odd = every_other(y + SQUARE_MM / 2, x + SQUARE_MM / 2)[..., None]  # a square lies in the middle of the picture
    return np.clip(np.where(odd, other[..., None] * np.array(TINT), grey[..., None] * np.ones(3)) * 0.85, 0, 1)


def label_row(axes: Axes, name: str, note: str, color: str = "white") -> None:
    """Write beside the first picture of a row what it shows."""
    axes.text(
        -0.03,
        0.5,
        f"{name}\n{note}" if note else name,
        color=color,
        fontsize=12,
        rotation=90,
        ha="right",
        va="center",
        transform=axes.transAxes,
        linespacing=1.4,
    )


def add_scale_bar(axes: Axes, extent: tuple[float, float, float, float]) -> None:
    """A bar of 50 mm in the lower right corner."""
    left, right, bottom, top = extent
    x, y = right - 0.04 * (right - left), bottom + 0.04 * (top - bottom)
    axes.plot([x - 50, x], [y, y], color="white", linewidth=2.5, solid_capstyle="butt")
    axes.text(x - 25, y + 0.015 * (top - bottom), "50 mm", color="white", fontsize=9, ha="center", va="bottom")
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
