"""Draw the icon: two slices of a head, one rotated and shifted, and the distance between their centres.

python tools/make_icon.py MADRegistration/Resources/Icons/MADRegistration.png
"""

from __future__ import annotations

import sys

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon

SIZE = 256  # pixels
BACKGROUND, ARROW = "#17324d", "#e5383b"
FIXED, FIXED_BRAIN, MOVING, MOVING_BRAIN = "white", "#8fc1e3", "#ffb02e", "#c46b1a"


def outline(center: tuple[float, float], degrees: float, scale: float, nose: float = 0.0) -> np.ndarray:
    """Outline (n, 2) of a head seen from above, with a nose in front and ears, or (nose 0) of the brain in it."""
    angle = np.linspace(0, 2 * np.pi, 400)
    radius = scale * (1 + nose * np.exp(-(((angle - np.pi / 2) / 0.13) ** 2)))
    for ear in (0.04, np.pi - 0.04):
        radius += scale * nose * 0.55 * np.exp(-(((angle - ear) / 0.12) ** 2))
    points = np.stack([0.8 * radius * np.cos(angle), radius * np.sin(angle)], 1)
    turn = np.deg2rad(degrees)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return points @ rotation.T + center


def draw(path: str) -> None:
    figure = Figure(figsize=(1, 1), dpi=SIZE)
    axes = figure.add_axes([0, 0, 1, 1], xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.axis("off")
    plate = "round,pad=0.1,rounding_size=0.16"
    axes.add_patch(FancyBboxPatch((0.12, 0.12), 0.76, 0.76, plate, fc=BACKGROUND, ec="none"))
    fixed, moving = (0.39, 0.43), (0.61, 0.58)
    for center, turn, skin, brain in ((moving, -40, MOVING, MOVING_BRAIN), (fixed, 0, FIXED, FIXED_BRAIN)):
        alpha = 1.0 if center == moving else 0.82
        axes.add_patch(Polygon(outline(center, turn, 0.35, 0.13), fc=skin, ec=BACKGROUND, lw=1.2, alpha=alpha))
        axes.add_patch(Polygon(outline(center, turn, 0.275), fc=brain, ec="none", alpha=alpha))
        front, back = outline(center, turn, 0.235)[[100, 300]]
        axes.plot(*np.transpose([front, back]), color=skin, lw=1.6, alpha=alpha, solid_capstyle="round")
    style = {"arrowstyle": "<|-|>", "mutation_scale": 7, "shrinkA": 0, "shrinkB": 0, "joinstyle": "miter"}
    axes.add_patch(FancyArrowPatch(moving, fixed, lw=2.4, color=ARROW, zorder=5, **style))
    for point in (fixed, moving):
        axes.add_patch(Circle(point, 0.024, color=ARROW, zorder=6))
    figure.savefig(path, dpi=SIZE, transparent=True, metadata={"Software": None})


if __name__ == "__main__":
    draw(sys.argv[1])
