"""``madreg demo``: the bundled pair, displaced, registered, and compared with the known alignment."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..settings import Settings
from .options import add_options

if TYPE_CHECKING:  # --help does not need what takes time to load
    import numpy as np
    import SimpleITK as sitk

    from ..pipeline.job import JobResult

ROTATION_DEGREES = 70.0
TRANSLATION_MM = 60.0
LARGEST_ERROR_MM = 6.0
"""The known alignment is accurate to 2 to 3 mm; an error above twice that is the registration's."""

POINTS = 2000
"""At which the error is measured."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("output"),
        metavar="DIR",
        help="folder for the results, made if it is not there (default: %(default)s)",
    )
    add_options(parser, "seed", "device")


def run(args: argparse.Namespace) -> int:
    """Run the command; 0 if the pair is aligned afterwards, 1 if not.

    Raises:
        InputError: if the bundled files are missing or the folder cannot be written to.
    """
    import numpy as np

    from .. import resources
    from ..image.geometry import Grid, mean_displacement
    from .register import summary

    fixed_path = resources.path("Demo", "T1w.nii.gz")
    fixed, moving, truth = _load(fixed_path)
    motion = displacement(args.seed, Grid.of_image(moving).center)
    moving_path = args.out / "EPI_displaced.nii.gz"
    _write(_displaced(moving, motion), moving_path)
    truth = motion @ truth

    points = _head_points(fixed)
    before = mean_displacement(np.eye(4), truth, points)
    print(f"Fixed image:  {fixed_path} (T1-weighted)")
    print(
        f"Moving image: {moving_path} (EPI, rotated by {ROTATION_DEGREES:.0f} degrees and translated by "
        f"{TRANSLATION_MM:.0f} mm)"
    )
    print(f"Error before registration: {before:.1f} mm. Registering ...", flush=True)
    done = _register(fixed_path, moving_path, args)
    print(summary(done))
    after = mean_displacement(done.result.matrix, truth, points)
    print(
        f"Error before {before:.1f} mm, after {after:.1f} mm: mean over {len(points)} points of the head, against "
        "an alignment that is accurate to 2 to 3 mm."
    )
    if after > LARGEST_ERROR_MM:
        print(
            f"The demo failed: {after:.1f} mm is more than {LARGEST_ERROR_MM:.0f} mm; look at "
            f"{args.out / 'overlay.png'}.",
            file=sys.stderr,
        )
        return 1
    return 0


def displacement(seed: int, center: np.ndarray) -> np.ndarray:
    """4x4 rigid motion, LPS mm, of fixed size about ``center`` (3,), in random directions."""
    import numpy as np
    import SimpleITK as sitk

    from ..image.geometry import about

    axis, direction = np.random.default_rng(seed).normal(size=(2, 3))
    versor = sitk.VersorTransform((axis / np.linalg.norm(axis)).tolist(), np.deg2rad(ROTATION_DEGREES))
    rotation = np.array(versor.GetMatrix()).reshape(3, 3)
    return about(center, rotation, TRANSLATION_MM * direction / np.linalg.norm(direction))


def _displaced(image: sitk.Image, motion: np.ndarray) -> sitk.Image:
    """An image moved by a rigid 4x4 motion; the voxels stay as they are."""
    import SimpleITK as sitk

    from ..image.geometry import Grid

    grid = Grid.of_image(image)
    return Grid(grid.size, motion @ grid.matrix).as_image(sitk.GetArrayFromImage(image))


def _head_points(fixed: sitk.Image) -> np.ndarray:
    """World positions (n, 3), LPS mm, of random voxels inside the head, by Otsu's threshold after smoothing by 2 mm."""
    import numpy as np
    import SimpleITK as sitk

    from ..image.geometry import Grid, apply

    image = sitk.Cast(fixed, sitk.sitkFloat32)
    low, high = np.percentile(sitk.GetArrayViewFromImage(image), [1, 99])
    image = sitk.Clamp(image, lowerBound=float(low), upperBound=float(high))
    mask = sitk.OtsuThreshold(sitk.SmoothingRecursiveGaussian(image, 2.0), 0, 1)
    index = np.argwhere(sitk.GetArrayFromImage(mask).astype(bool))[:, ::-1]
    chosen = np.random.default_rng(0).choice(len(index), min(POINTS, len(index)), replace=False)
    return apply(Grid.of_image(fixed).matrix, index[chosen].astype(float))


def _load(fixed_path: Path) -> tuple[sitk.Image, sitk.Image, np.ndarray]:
    """The bundled pair and its 4x4 true alignment, fixed LPS to moving LPS."""
    import numpy as np

    from .. import resources
    from ..io.reading import read_image

    record = json.loads(resources.path("Demo", "truth.json").read_text(encoding="utf-8"))
    moving = read_image(resources.path("Demo", "EPI.nii.gz"))
    return read_image(fixed_path), moving, np.array(record["fixed_to_moving_lps_mm"])


def _write(image: sitk.Image, path: Path) -> None:
    """Write an image into a folder that is made if need be."""
    from ..errors import InputError
    from ..io.writing import write_image

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(image, path)
    except (OSError, InputError) as error:
        raise InputError(f"{path} cannot be written: choose another folder with --out.") from error


def _register(fixed: Path, moving: Path, args: argparse.Namespace) -> JobResult:
    """Do what ``madreg register`` does, with every output but the error map."""
    from ..pipeline.job import Job, run_job
    from ..pipeline.job_sources import ScanFile
    from ..pipeline.outputs import Outputs

    outputs = Outputs(
        transform=args.out / "transform.tfm",
        resampled=args.out / "EPI_on_T1w.nii.gz",
        report=args.out / "report.json",
        overlay=args.out / "overlay.png",
    )
    return run_job(Job(ScanFile(fixed), ScanFile(moving), Settings(device=args.device), outputs))
