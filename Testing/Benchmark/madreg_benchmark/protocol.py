"""The benchmark's protocol: pairs with known alignment, seeded displacements, error in mm.

A case is a fixed scan, a moving scan and the true 4x4 matrix between them.  A trial displaces the moving scan by a
motion drawn for the case, the level and the trial's number, writes both scans, and knows the new truth.  Rigid
motions only rewrite the header, so no intensity changes; affine ones resample.  The error of an estimate is the mean
distance between where it and the truth send 2,000 points of the fixed head (target registration error, TRE).

All matrices are 4x4, fixed LPS to moving LPS, mm.  The order in which random numbers are drawn is part of the
protocol: figures compare only between equal trials.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from madreg.errors import InputError
from madreg.image.geometry import Grid, apply, itk_transform

EVALUATION_POINTS = 2000


@dataclass(frozen=True)
class Level:
    """How far the moving scan is displaced.

    Attributes:
        rotation: largest angle in degrees, about a random axis; the smallest is a third of it.
        translation: largest length in mm, in a random direction; the smallest is a third of it.
        log_scale: largest absolute logarithm of the scale along each axis.
        shear: largest absolute shear.
        cropped: keep only half of the moving scan along one of its axes.
    """

    rotation: float
    translation: float
    log_scale: float = 0.0
    shear: float = 0.0
    cropped: bool = False

    @property
    def rigid(self) -> bool:
        return self.log_scale == 0 and self.shear == 0


# the position of a level in this table is part of its trials' seeds: add new ones at the end
LEVELS = {
    "small": Level(15, 20),
    "large": Level(45, 60),
    "any": Level(180, 100),
    "affine": Level(30, 40, log_scale=0.15, shear=0.08),
    "crop": Level(45, 60, cropped=True),
    "anycrop": Level(180, 100, cropped=True),
}


@dataclass(frozen=True)
class Case:
    """A pair with known alignment.

    Attributes:
        name: its name; part of its trials' seeds.
        fixed, moving: image files.
        truth: 4x4 matrix.
        contrast: which kinds of scan are matched, e.g. ``CT-T1``, for grouping results.
    """

    name: str
    fixed: Path
    moving: Path
    truth: np.ndarray
    contrast: str = "other"


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


def contrast_of(name: str) -> str:
    """Kinds of scan named in a case's name, sorted: ``sim_CT_T1_15`` is ``CT-T1``; ``other`` if there are not two."""
    known = {"CT", "T1", "T2", "FLAIR", "PD", "PET", "EPI", "SPECT"}
    kinds = [word for word in name.upper().split("_") if word in known]
    return "-".join(sorted(kinds[:2])) if len(kinds) >= 2 else "other"


def load_cases(folder: Path) -> list[Case]:
    """Cases listed in ``folder/cases.json``: name, fixed, moving (paths relative to the folder), truth.

    Raises:
        InputError: if there is no such list, it cannot be read, or a file it names is missing.
    """
    path = Path(folder) / "cases.json"
    if not path.is_file():
        raise InputError(f"{path} does not exist; give a folder with cases.json, or make one with --make-cases.")
    try:
        cases = [
            Case(
                c["name"],
                folder / c["fixed"],
                folder / c["moving"],
                np.array(c["truth"], float).reshape(4, 4),
                c.get("contrast") or contrast_of(c["name"]),
            )
            for c in json.loads(path.read_text())
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not a list of cases with name, fixed, moving and truth ({error}).") from error
    for case in cases:
        for image in (case.fixed, case.moving):
            if not image.is_file():
                raise InputError(f"{image} does not exist but case {case.name} in {path} needs it; assemble it again.")
    return cases


def save_cases(folder: Path, cases: list[Case]) -> None:
    """Write ``folder/cases.json``; files inside the folder are named relative to it."""

    def named(image: Path) -> str:
        return str(image.relative_to(folder) if image.is_relative_to(folder) else image.resolve())

    rows = [
        {
            "name": c.name,
            "fixed": named(c.fixed),
            "moving": named(c.moving),
            "truth": c.truth.tolist(),
            "contrast": c.contrast,
        }
        for c in cases
    ]
    (folder / "cases.json").write_text(json.dumps(rows, indent=1))


def trial_generator(case: str, level: str, number: int) -> np.random.Generator:
    """The random numbers of one trial."""
    name = int.from_bytes(case.encode(), "little") % 2**32
    return np.random.default_rng([name, list(LEVELS).index(level), number])


def _direction(rng: np.random.Generator) -> np.ndarray:
    """Unit vector (3,), uniform over the sphere."""
    vector = rng.normal(size=3)
    return vector / np.linalg.norm(vector)


def random_motion(level: Level, rng: np.random.Generator, center: np.ndarray) -> np.ndarray:
    """A motion of a level about a world point: 4x4, from where the anatomy was to where it goes."""
    x, y, z = _direction(rng)
    angle = np.deg2rad(rng.uniform(level.rotation / 3, level.rotation))
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    linear = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross  # Rodrigues' formula
    if level.log_scale:
        scale = np.diag(np.exp(rng.uniform(-level.log_scale, level.log_scale, 3)))
        shear = np.eye(3)
        shear[0, 1], shear[0, 2], shear[1, 2] = rng.uniform(-level.shear, level.shear, 3)
        linear = linear @ shear @ scale
    translation = _direction(rng) * rng.uniform(level.translation / 3, level.translation)
    motion = np.eye(4)
    motion[:3, :3] = linear
    motion[:3, 3] = center + translation - linear @ center
    return motion


def image_center(image: sitk.Image) -> np.ndarray:
    """World position (3,) of the middle of an image, LPS mm."""
    return np.array(image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()]))


def displace_header(image: sitk.Image, motion: np.ndarray) -> sitk.Image:
    """Move an image by a rigid 4x4 motion; the voxels stay as they are."""
    moved = sitk.Image(image)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    moved.SetDirection((motion[:3, :3] @ direction).ravel().tolist())
    moved.SetOrigin((motion[:3, :3] @ np.array(image.GetOrigin()) + motion[:3, 3]).tolist())
    return moved


def displace_resampled(image: sitk.Image, motion: np.ndarray) -> sitk.Image:
    """Move an image by an affine 4x4 motion, resampled onto a lattice with its axes that holds all of the content."""
    spacing = np.array(image.GetSpacing())
    direction = np.array(image.GetDirection()).reshape(3, 3)
    bits = np.array([[(n >> axis) & 1 for axis in range(3)] for n in range(8)])
    extent = bits * (np.array(image.GetSize()) - 1)
    corners = (direction @ np.diag(spacing) @ extent.T).T + np.array(image.GetOrigin())
    along_axes = apply(motion, corners) @ direction
    low, high = along_axes.min(0), along_axes.max(0)
    size = np.ceil((high - low) / spacing).astype(int) + 1
    background = float(sitk.GetArrayViewFromImage(image).min())
    return sitk.Resample(
        image,
        size.tolist(),
        itk_transform(np.linalg.inv(motion)),
        sitk.sitkLinear,
        (direction @ low).tolist(),
        spacing.tolist(),
        direction.ravel().tolist(),
        background,
    )


def cropped(image: sitk.Image, rng: np.random.Generator) -> sitk.Image:
    """Half of an image along one of its axes, at least an eighth away from both ends where that is possible."""
    axis = int(rng.integers(3))
    length = image.GetSize()[axis]
    keep = length // 2
    first = int(rng.integers(length // 8, length - keep - length // 8 + 1))
    size, index = list(image.GetSize()), [0, 0, 0]
    size[axis], index[axis] = keep, first
    return sitk.RegionOfInterest(image, size, index)


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
        moved = cropped(moved, rng)
    folder.mkdir(parents=True, exist_ok=True)
    trial = Trial(folder / "fixed.nii.gz", folder / "moving.nii.gz", motion @ case.truth, head_points(fixed))
    sitk.WriteImage(fixed, str(trial.fixed))
    sitk.WriteImage(moved, str(trial.moving))
    return trial
