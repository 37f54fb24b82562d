"""Do random convolutions keep geometry?  The displacement of an edge against the number of stacked layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from madreg.learn.appearance import Appearance, random_convolutions
from madreg_benchmark.report.page import write_illustrated
from madreg_benchmark.report.plots import new_figure
from madreg_benchmark.report.tables import markdown, write_csv
from madreg_benchmark.studies.study import Setting, Study

LAYERS = (1, 2, 3, 4, 6)
EDGE = 12.3  # where the edge lies along i, in voxels


def edge_position(profile: np.ndarray) -> float:
    """Where a profile changes: the middle of its absolute differences, in samples."""
    steps = np.abs(np.diff(profile))
    steps[steps < 0.05 * steps.max()] = 0
    return float((steps * (np.arange(len(steps)) + 0.5)).sum() / steps.sum())


def two_halves(at: float = EDGE, size: int = 24) -> torch.Tensor:
    """A volume (k, j, i) with a blurred edge between two tissues at i = ``at``."""
    i = torch.arange(size, dtype=torch.float32)
    return (0.3 + 0.5 * torch.sigmoid((i - at) * 4)).expand(8, 8, size).contiguous()


def shifts(make: Callable[[torch.Tensor, np.random.Generator], torch.Tensor], count: int, seed: int = 0) -> np.ndarray:
    """Displacements in voxels of the edge in ``count`` appearances, without those that no longer show it."""
    image = two_halves()
    before = edge_position(image[4, 4].numpy())
    found = []
    for number in range(seed, seed + count):
        profile = make(image, np.random.default_rng(number))[4, 4].numpy()[4:-4]
        if np.ptp(profile) > 0.3:
            found.append(edge_position(profile) + 4 - before)
    return np.array(found)


def measure_edges(setting: Setting) -> dict[int, np.ndarray]:
    """Displacements in voxels for each of :data:`LAYERS`."""
    found = {}
    for layers in LAYERS:
        # as many random convolutions as the row says, of the sizes and odds that training draws from
        settings = Appearance(layers=layers)
        found[layers] = shifts(
            lambda image, rng, s=settings: random_convolutions(image, rng, s), _count(setting), setting.seed
        )
        setting.on_unit()
    return found


def _count(setting: Setting) -> int:
    return 100 if setting.quick else 1000


HEADER = [
    "layers, at most",
    "edges",
    "median distance, voxels",
    "mean shift, voxels",
    "90 % below, voxels",
    "worst, voxels",
]


def write_edges(found: dict[int, np.ndarray], made_from: str, out: Path) -> str:
    """Write ``edges.csv``, ``edges.md`` and the plot into ``out``; return the table."""
    lines = [
        [
            str(layers),
            str(len(some)),
            f"{np.median(np.abs(some)):.3f}",
            f"{some.mean():+.3f}",
            f"{np.quantile(np.abs(some), 0.9):.2f}",
            f"{np.abs(some).max():.2f}",
        ]
        for layers, some in found.items()
    ]
    write_csv(out / "edges.csv", HEADER, lines)
    table = markdown(HEADER, lines)
    figure, (axes,) = new_figure(5.6, 3.8)
    axes.boxplot(list(found.values()), tick_labels=[str(layers) for layers in found], whis=(5, 95), sym="")
    axes.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    axes.set(xlabel="random convolutions, at most", ylabel="shift of the edge, voxels (whiskers: 5 to 95 %)")
    axes.spines[["top", "right"]].set_visible(False)
    text = (
        "An edge between two tissues, blurred over about a voxel, seen through random convolutions as in training; "
        f"those that no longer show it are left out.\n\n{table}"
    )
    write_illustrated(out / "edges", "Shift of an edge by random convolutions", text, figure, made_from)
    return table


STUDY = Study("depth", lambda s: len(LAYERS), measure_edges, write_edges)
