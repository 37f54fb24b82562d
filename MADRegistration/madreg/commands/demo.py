"""``madreg demo``: the bundled pair, moved far apart, registered, and compared with the known alignment."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # --help does not need what takes time to load
    import numpy as np
    import SimpleITK as sitk

ROTATION_DEGREES = 70.0
TRANSLATION_MM = 60.0
LARGEST_ERROR_MM = 6.0
"""The known alignment is good to 2 to 3 mm: an error above twice that is the registration's."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("output"),
        metavar="DIR",
        help="folder for the results, made if it is not there (%(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of the directions in which the moving scan is turned and shifted (%(default)s)",
    )
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="where to compute (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Run the command; 0 if the pair is aligned afterwards, 1 if not.

    Raises:
        InputError: if the bundled files are missing or the folder cannot be written to.
    """
    import numpy as np

    from madreg_benchmark.cases.displacement import displace_header, image_center
    from madreg_benchmark.cases.trial import head_points

    from .. import resources
    from ..image.geometry import mean_displacement

    fixed_path = resources.path("Demo", "T1w.nii.gz")
    fixed, moving, truth = _load(fixed_path)
    motion = displacement(args.seed, image_center(moving))
    moving_path = args.out / "EPI_displaced.nii.gz"
    _write(displace_header(moving, motion), moving_path)
    truth = motion @ truth

    points = head_points(fixed)
    before = mean_displacement(np.eye(4), truth, points)
    print(f"Fixed scan:  {fixed_path} (T1-weighted)")
    print(
        f"Moving scan: {moving_path} (EPI, turned by {ROTATION_DEGREES:.0f} degrees and shifted by "
        f"{TRANSLATION_MM:.0f} mm)"
    )
    print(f"Error before registration: {before:.1f} mm. Registering ...", flush=True)
    after = mean_displacement(_register(fixed_path, moving_path, args), truth, points)
    print(
        f"Error before {before:.1f} mm, after {after:.1f} mm: mean over {len(points)} points of the head, against "
        "an alignment known to 2 to 3 mm."
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
    """4x4 rigid motion, LPS mm, of fixed size about ``center`` (3,), in directions drawn with ``seed``."""
    import numpy as np
    import SimpleITK as sitk

    from ..image.geometry import about

    axis, direction = np.random.default_rng(seed).normal(size=(2, 3))
    turn = sitk.VersorTransform((axis / np.linalg.norm(axis)).tolist(), np.deg2rad(ROTATION_DEGREES))
    rotation = np.array(turn.GetMatrix()).reshape(3, 3)
    return about(center, rotation, TRANSLATION_MM * direction / np.linalg.norm(direction))


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
    import SimpleITK as sitk

    from ..errors import InputError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(image, str(path), useCompression=True)
    except (OSError, RuntimeError) as error:  # RuntimeError is how SimpleITK reports it
        raise InputError(f"{path} cannot be written: choose another folder with --out.") from error


def _register(fixed: Path, moving: Path, args: argparse.Namespace) -> np.ndarray:
    """Do what ``madreg register`` does with every output; return the 4x4 that it found."""
    import numpy as np

    from . import register

    parser = argparse.ArgumentParser()
    register.add_arguments(parser)
    report = args.out / "report.json"
    register.run(
        parser.parse_args(
            [
                str(fixed),
                str(moving),
                "--transform",
                str(args.out / "transform.tfm"),
                "--resampled",
                str(args.out / "EPI_on_T1w.nii.gz"),
                "--report",
                str(report),
                "--overlay",
                str(args.out / "overlay.png"),
                "--device",
                args.device,
            ]
        )
    )
    return np.array(json.loads(report.read_text(encoding="utf-8"))["matrix_fixed_to_moving_lps"])
