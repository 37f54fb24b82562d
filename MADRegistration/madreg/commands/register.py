"""``madreg register``: align a moving image to a fixed one and write the transform."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..settings import Resampling, Settings, initialization_of
from ..system.lengths import millimeters
from . import outcome
from .messages import printable
from .options import IMAGES, add_images, add_options, add_outputs
from .volume_choice import choose_volumes

if TYPE_CHECKING:
    import numpy as np

    from ..pipeline.job import Job, JobResult
    from ..progress import Progress

FAILED_STATUS = 3
"""The exit status if the verdict is ``failed``."""

EPILOG = """The transform maps fixed points to moving points (LPS, mm): what ITK resamples with, and what puts the
moving volume in place when 3D Slicer loads and applies it. Exit status: 0 if the verdict is aligned or check, 1 if an
input or an output cannot be used, 2 if the command line cannot be understood, 3 if the verdict is failed, 130 if it was
interrupted."""
ADVICE = {**outcome.ADVICE, "failed": "try another --init, or masks around the common anatomy"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.epilog = EPILOG
    add_images(parser, "moving image, which is aligned to it")
    parser.add_argument("--transform", metavar="OUT", required=True, help="transform to write: .tfm, .txt, .h5 or .mat")
    parser.add_argument("--resampled", metavar="OUT", help=f"moving image on the fixed grid: {IMAGES}")
    add_outputs(
        parser,
        "inputs, matrix, estimated error, settings and stages: .json",
        "picture of before, after and a checkerboard: .png, .pdf",
    )
    add_options(parser, "type", "init", "initial_transform", "measure", "fixed_mask", "moving_mask")
    add_options(parser, "weights", "device", "seed", "interpolation", "fill", "voxel_type")
    parser.set_defaults(init=None)  # depends on --initial-transform
    parser.add_argument(
        "--keep-failed",
        action="store_true",
        help="write the transform and the resampled image also if the verdict is failed",
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def run(args: argparse.Namespace) -> int:
    """Run the command; 0 if everything is written, :data:`FAILED_STATUS` if the verdict is ``failed``.

    Raises:
        InputError: if an input or an output cannot be used; then nothing is written.
    """
    from ..pipeline.job import run_job

    choose_volumes(args)
    job = job_of(args)
    with _progress_bar(args.quiet) as progress:
        done = run_job(job, progress)
    if not args.quiet:
        outcome.print_notices(done.notices)
        print(summary(done))
    if done.withheld:
        print(printable(_withheld(done)), file=sys.stderr)
    return FAILED_STATUS if done.result.verdict == "failed" else 0


def job_of(args: argparse.Namespace) -> Job:
    """The job that the command line asks for.

    Raises:
        InputError: if an option or an output cannot be used, before anything is read but the initial transform.
    """
    from ..pipeline.job import Job
    from ..pipeline.job_sources import ScanFile, StructuresFile
    from ..pipeline.outputs import Outputs

    outputs = Outputs(**outcome.output_paths(args, "transform", "resampled", "error_map", "report", "overlay", "page"))
    settings = Settings(
        type=args.type,
        measure=args.measure,
        init=initialization_of(args.init, args.initial_transform),
        device=args.device,
        seed=args.seed,
        weights=args.weights,
    )
    fixed, moving = ScanFile(args.fixed, args.fixed_mask), ScanFile(args.moving, args.moving_mask)
    resampling = Resampling(args.interpolation, args.fill, args.voxel_type)
    structures = None if args.segmentation is None else StructuresFile(args.segmentation)
    given = structures, resampling, args.initial_transform
    return Job(fixed, moving, settings, outputs, args.keep_failed, *given)


@contextmanager
def _progress_bar(quiet: bool) -> Iterator[Callable[[Progress], None] | None]:
    """A function that draws progress on a terminal's stderr; None where there is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(
        total=100,
        file=sys.stderr,
        leave=False,
        smoothing=0.05,
        bar_format="{desc:<12} {percentage:3.0f} % |{bar}| {elapsed} < {remaining}{postfix}",
    ) as bar:

        def show(progress: Progress) -> None:
            bar.set_description_str(progress.stage, refresh=False)
            if progress.error_mm is not None:
                bar.set_postfix_str(f", error about {millimeters(progress.error_mm)}", refresh=False)
            bar.update(max(100 * progress.fraction - bar.n, 0))

        yield show
        bar.refresh()  # the end is drawn, however short the last step was


def _withheld(done: JobResult) -> str:
    """One sentence about the files that were not written."""
    names = " and ".join(str(path) for path in done.withheld)
    were = "was" if len(done.withheld) == 1 else "were"
    return (
        f"The registration failed, so {names} {were} not written: try another --init, or masks around the common "
        "anatomy; --keep-failed writes the transform and the resampled image nevertheless."
    )


def summary(done: JobResult) -> str:
    """A few lines for the user: verdict, estimated error, motion, and the files that were written."""
    import numpy as np

    from ..image.geometry import Grid

    result = done.result
    motion = result.transform.after(result.start.inverse())
    center = Grid.of_image(done.fixed.image).center
    shift = float(np.linalg.norm(result.transform.apply(center) - result.start.apply(center)))
    lines = [
        ("verdict", f"{result.verdict}: {ADVICE[result.verdict]}"),
        outcome.error_line(_change(result.error_before_mm, result.error_after_mm), done.report),
        *outcome.structure_lines(done.report),
        ("rotation", f"{motion.rotation_degrees:.1f} degrees"),
        ("translation", f"{millimeters(shift)} (at the center of the fixed image)"),
        ("scale", None if result.settings.type == "rigid" else _scales(motion.linear)),
        ("overlap", f"{100 * result.overlap:.0f} % of the fixed foreground lies in the moving image"),
        ("time", f"{result.seconds:.1f} s on {result.device}"),
        ("written", outcome.written(done.written)),
    ]
    return outcome.lines(lines)


def _change(before: float | None, after: float | None) -> str | None:
    return None if after is None else f"{millimeters(before)} before, {millimeters(after)} after"


def _scales(linear: np.ndarray) -> str:
    """Stretch along the three principal directions."""
    import numpy as np

    return " x ".join(f"{value:.3f}" for value in np.linalg.svd(linear, compute_uv=False))
