"""Trials: a displaced pair on disk with its truth.

A trial displaces the moving scan of a case by a motion drawn for the case, the level and the trial's number, writes
both scans, and knows the new truth.  Rigid motions only rewrite the header, so no intensity changes; affine ones
resample.  The error of an estimate is the mean distance between where it and the truth send 2,000 points of the fixed
foreground (target registration error, TRE).

All matrices are 4x4, fixed LPS to moving LPS, mm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from madreg.image.geometry import Grid, apply
from madreg_benchmark.cases.case import Case
from madreg_benchmark.cases.displacement import crop, cut, displace_header, displace_resampled, image_center
from madreg_benchmark.cases.levels import LEVELS, random_motion, trial_generator

EVALUATION_POINTS = 2000


@dataclass(frozen=True)
class Trial:
    """A displaced pair on disk.

    Attributes:
        fixed, moving: image files.
        truth: 4x4 matrix.
        points: (n, 3) points of the fixed head, LPS mm, over which errors are averaged.
    """

    fixed: Path
    moving: Path
    truth: np.ndarray
    points: np.ndarray


def head_points(fixed: sitk.Image, count: int = EVALUATION_POINTS, seed: int = 0) -> np.ndarray:
    """World positions (n, 3), LPS mm, of random voxels inside the head: Otsu's threshold after smoothing by 2 mm."""
    image = sitk.Cast(fixed, sitk.sitkFloat32)
    low, high = np.percentile(sitk.GetArrayFromImage(image), [1, 99])
    image = sitk.Clamp(image, lowerBound=float(low), upperBound=float(high))
    mask = sitk.OtsuThreshold(sitk.SmoothingRecursiveGaussian(image, 2.0), 0, 1)
    index = np.argwhere(sitk.GetArrayFromImage(mask).astype(bool))[:, ::-1]
    chosen = np.random.default_rng(seed).choice(len(index), min(count, len(index)), replace=False)
    return apply(Grid.of_image(fixed).matrix, index[chosen].astype(float))


def make_trial(
    case: Case, level: str, number: int, folder: Path, prepare: Callable[[sitk.Image], sitk.Image] = lambda image: image
) -> Trial:
    """Write ``fixed.nii.gz`` and ``moving.nii.gz`` of one trial into ``folder``.

    Args:
        prepare: what is done to both scans (float32) before; anatomy must stay where it is in the world.

    Raises:
        KeyError: for a level that is not in :data:`LEVELS`.
    """
    fixed, moving = (
        prepare(sitk.Cast(sitk.ReadImage(str(path)), sitk.sitkFloat32)) for path in (case.fixed, case.moving)
    )
    rng = trial_generator(case.name, level, number)
    motion = random_motion(LEVELS[level], rng, image_center(moving))
    moved = displace_header(moving, motion) if LEVELS[level].rigid else displace_resampled(moving, motion)
    if LEVELS[level].cropped:
        moved = crop(moved, rng)
    if LEVELS[level].cut:
        fixed, moved = cut(fixed, rng), cut(moved, rng)
    folder.mkdir(parents=True, exist_ok=True)
    trial = Trial(folder / "fixed.nii.gz", folder / "moving.nii.gz", motion @ case.truth, head_points(fixed))
    sitk.WriteImage(fixed, str(trial.fixed))
    sitk.WriteImage(moved, str(trial.moving))
    return trial
