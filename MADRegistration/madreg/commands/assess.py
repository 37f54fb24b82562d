"""``madreg assess``: estimate the error of an existing alignment."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ..settings import Settings
from ..system.lengths import millimeters
from . import outcome
from .messages import printable
from .options import add_images, add_options, add_outputs
from .volume_choice import choose_volumes

if TYPE_CHECKING:
    from ..pipeline.assessment_job import AssessmentJob, AssessmentJobResult

EPILOG = """No image is changed. Exit status: 0 if the alignment was assessed, whatever the verdict, 1 if an input or an
output cannot be used, 2 if the command line cannot be understood, 130 if it was interrupted."""
ADVICE = {**outcome.ADVICE, "failed": "do not use it; register the images again"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.epilog = EPILOG
    add_images(parser, "moving image")
    parser.add_argument(
        "--transform",
        metavar="FILE",
        help="what aligns the moving image, fixed points to moving points: ITK (.tfm, .txt, .h5, .mat), FSL (.mat), "
        "FreeSurfer (.lta), or a displacement field (.nii.gz, .nrrd, .mha, .h5); default: the images are aligned as "
        "they are",
    )
    add_outputs(parser, "inputs, estimated error and verdict: .json", "picture of edges and a checkerboard: .png, .pdf")
    add_options(parser, "fixed_mask", "moving_mask", "weights", "device", "seed")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def run(args: argparse.Namespace) -> int:
    """Run the command; 0 whatever the verdict.

    Raises:
        InputError: if an input or an output cannot be used; then nothing is written.
    """
    from ..pipeline.assessment_job import run_assessment

    choose_volumes(args)
    done = run_assessment(job_of(args))
    if not args.quiet:
        outcome.print_notices(done.notices)
        print(summary(done))
    for path in done.withheld:
        print(printable(f"No error can be estimated, so {path} was not written."), file=sys.stderr)
    return 0


def job_of(args: argparse.Namespace) -> AssessmentJob:
    """The job that the command line asks for."""
    from ..pipeline.assessment_job import AssessmentJob
    from ..pipeline.job_sources import ScanFile, StructuresFile
    from ..pipeline.outputs import Outputs

    return AssessmentJob(
        ScanFile(args.fixed, args.fixed_mask),
        ScanFile(args.moving, args.moving_mask),
        args.transform,
        Settings(device=args.device, seed=args.seed, weights=args.weights),
        Outputs(**outcome.output_paths(args, "error_map", "report", "overlay", "page")),
        None if args.segmentation is None else StructuresFile(args.segmentation),
    )


def summary(done: AssessmentJobResult) -> str:
    """A few lines for the user: verdict, estimated error, structures, and the files that were written."""
    found, report = done.assessment, done.report
    worst = report.get("worst_mm")
    return outcome.lines(
        [
            ("verdict", f"{found.verdict}: {ADVICE[found.verdict]}"),
            outcome.error_line(None if found.error_mm is None else millimeters(found.error_mm), report),
            ("largest error", None if not worst or found.verdict == "failed" else millimeters(worst)),
            *outcome.structure_lines(report),
            ("transform", found.type),
            ("overlap", f"{100 * found.overlap:.0f} % of the fixed foreground lies in the moving image"),
            ("time", f"{found.seconds:.1f} s on {found.device}"),
            ("written", outcome.written(done.written)),
        ]
    )
