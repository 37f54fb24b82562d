"""Slabs of tissue up to every end, in the contrasts of an examination of the pelvis: diffusion, DCE, PD, T1, T2.

Real series of that kind are few, and their truth is good to some millimeters.  These are cut out of enlarged heads, of
which no outline is left: slices of 3 mm and more in unlike planes, shaded, noisy, and distorted as EPI is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from madreg.image.geometry import Grid, apply, rotation
from madreg_benchmark.cases.acquisition import grid_about, noisy, shaded, slice_axes
from madreg_benchmark.cases.calibration import LABELS, label_map
from madreg_benchmark.cases.case import Case, save_cases
from madreg_benchmark.cases.simulation import (
    AIR,
    BONE,
    FLUID,
    GREY,
    MARROW,
    SKIN,
    SOFT,
    T1,
    T2,
    WHITE,
    Contrast,
    simulate,
)  # fmt: skip

COUNT, SEED = 28, 79
TISSUES = (AIR, SOFT, SKIN, BONE, MARROW, GREY, WHITE, FLUID)
ENLARGED = (1.4, 1.8)
TILT = 8.0  # degrees, at most
ACROSS_MM = 25.0  # deviation of the filter of a distortion


@dataclass(frozen=True)
class Series:
    """How a series is acquired.

    Attributes:
        contrast: of its tissues.
        noise: of the brightest 2 %.
        shading: logarithm of the change of brightness from the middle to an end.
        distortion: mm, the largest displacement along the first axis.
    """

    contrast: Contrast
    noise: float
    shading: float
    distortion: float = 0.0


def _contrast(means: tuple[float, ...], default: float) -> Contrast:
    """A contrast without noise of its own; ``means`` are those of :data:`TISSUES`."""
    tissues = tuple((labels, mean, max(0.08 * mean, 1.0)) for labels, mean in zip(TISSUES, means, strict=True))
    return Contrast(tissues, default=default, noise=0.0, sigma=0.7)


MOVING = {
    "DWI": Series(_contrast((0, 25, 8, 3, 12, 110, 85, 40), 40), 0.10, 0.5, 5.0),
    "ADC": Series(_contrast((0, 60, 15, 5, 30, 80, 70, 240), 70), 0.08, 0.1, 5.0),
    "DCE": Series(_contrast((0, 85, 45, 8, 55, 75, 85, 30), 110), 0.05, 0.7),
    "PD": Series(_contrast((0, 90, 150, 10, 100, 120, 100, 115), 95), 0.04, 1.0),
}


def assemble_slabs(data: Path, out: Path) -> list[Case]:
    """Write the scans and ``cases.json`` into ``out``.

    Args:
        data: folder with ``train/synthseg_labels_1.5mm``.

    Raises:
        InputError: if a file is missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    cases = [_case(data, out, number) for number in range(COUNT)]
    save_cases(out, cases)
    return cases


def _case(data: Path, out: Path, number: int) -> Case:
    rng = np.random.default_rng([SEED, number])
    labels = label_map(data, LABELS[number % len(LABELS)])
    enlarged = rng.uniform(*ENLARGED)
    labels.SetSpacing([enlarged * mm for mm in labels.GetSpacing()])
    grid = Grid.of_image(labels)
    middle = grid.center + rng.uniform(-40, 40, 3) * [1, 1, 1.2]
    name = list(MOVING)[number % len(MOVING)]
    planes = rng.permutation(3)[:2] if number % 3 else [rng.integers(3)] * 2
    fixed_name = "T1" if rng.integers(4) == 3 else "T2"
    fixed = Series({"T1": T1, "T2": T2}[fixed_name], 0.03, 0.35)
    images = []
    for plane, series, ranges in zip(
        planes,
        (fixed, MOVING[name]),
        (((170, 210), (56, 72), (0.6, 1.1), (3.0, 3.6)), ((180, 260), (64, 96), (1.5, 2.2), (3.6, 3.6))),
        strict=True,
    ):
        center = middle + rng.uniform(-8, 8, 3)
        sizes = [rng.uniform(*some) for some in ranges]
        images.append(_slab(labels, series, center, int(plane), sizes, rng))
    files = [out / f"slab_{number:02d}_{role}.nii.gz" for role in ("fixed", "moving")]
    for image, file in zip(images, files, strict=True):
        sitk.WriteImage(image, str(file))
    return Case(f"{number:02d}_{name}", files[0], files[1], np.eye(4), f"{fixed_name}-{name}", 1.0)


def _slab(
    labels: sitk.Image, series: Series, center: np.ndarray, plane: int, sizes: list[float], rng: np.random.Generator
) -> sitk.Image:
    """One series, its slices across world axis ``plane`` but for a tilt.

    Args:
        center: (3,) LPS mm.
        sizes: mm, of the field of view within a slice and across, of a voxel within a slice and across.
    """
    scan = simulate(labels, series.contrast, rng)
    axes = rotation(rng.normal(size=3), rng.uniform(0, TILT)) @ slice_axes(plane)
    within, across, fine, thick = sizes
    grid = grid_about(center, axes, np.array([fine, fine, thick]), np.array([within, within, across]))
    points = grid.points().double().numpy() + _distortion(grid, series.distortion, rng)[..., None] * axes[:, 0]
    source, inverse = sitk.GetArrayFromImage(scan), Grid.of_image(scan).inverse
    values = np.zeros(grid.shape)
    for share in (-1 / 3, 0, 1 / 3):  # of the thickness of a slice
        index = apply(inverse, points + share * thick * axes[:, 2])
        values += ndimage.map_coordinates(source, index.transpose(3, 0, 1, 2)[::-1], order=1) / 3
    values = shaded(values, series.shading, rng)
    return grid.as_image(noisy(values, series.noise * np.percentile(values, 98), rng))


def _distortion(grid: Grid, largest: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth displacement (k, j, i) of up to ``largest`` mm."""
    if not largest:
        return np.zeros(grid.shape)
    field = ndimage.gaussian_filter(rng.normal(size=grid.shape), ACROSS_MM / grid.spacing[::-1])
    return field * largest / np.abs(field).max()
