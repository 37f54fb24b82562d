"""``madreg commission``: how accurate registrations and their estimated errors are on a user's own scans."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..settings import Settings
from ..system.lengths import millimeters
from . import outcome
from .messages import printable
from .options import add_options
from .register import FAILED_STATUS

if TYPE_CHECKING:
    from ..commissioning.commission import Commissioning
    from ..commissioning.trial import TrialResult
    from ..pipeline.outputs import Outputs

TRIALS, MOST_TRIALS = 12, 1000
TOLERANCE_MM, LARGEST_TOLERANCE_MM = 2.0, 100.0
EPILOG = """Nothing is changed in FOLDER. Exit status: 0 if it passed, 1 if an input or an output cannot be used, 2 if
the command line cannot be understood, 3 if it did not pass, 130 if it was interrupted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.epilog = EPILOG
    parser.add_argument(
        "folder", metavar="FOLDER", help="folder of scans: image files, and sub-folders of DICOM slices, a scan each"
    )
    parser.add_argument("--page", metavar="OUT", help="page to keep or print, with all numbers: .html")
    parser.add_argument("--report", metavar="OUT", help="all numbers: .json")
    parser.add_argument(
        "--tolerance",
        metavar="MM",
        type=_millimeters,
        default=TOLERANCE_MM,
        help=f"mean error up to which a registration passes; default: {TOLERANCE_MM:g}, that of AAPM TG-132",
    )
    parser.add_argument(
        "--trials", metavar="N", type=_count, default=TRIALS, help=f"phantoms of each scan; default: {TRIALS}"
    )
    add_options(parser, "init", "measure", "weights", "device", "seed")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def _millimeters(words: str) -> float:
    try:
        number = float(words)
    except ValueError:
        number = math.nan
    if not 0 < number <= LARGEST_TOLERANCE_MM:
        raise argparse.ArgumentTypeError(f'"{words}" is not a length, above 0 and up to {LARGEST_TOLERANCE_MM:g} mm')
    return number


def _count(words: str) -> int:
    number = int(words) if words.isdecimal() else 0
    if not 1 <= number <= MOST_TRIALS:
        raise argparse.ArgumentTypeError(f'"{words}" is not a number, 1 to {MOST_TRIALS}')
    return number


def run(args: argparse.Namespace) -> int:
    """Run the command; 0 if it passed, :data:`FAILED_STATUS` if not.

    Raises:
        InputError: if an input or an output cannot be used; then nothing is written.
    """
    from ..commissioning.commission import commission, scans_in
    from ..pipeline.job_inputs import weights_files
    from ..pipeline.outputs import Outputs

    scans = scans_in(Path(args.folder))
    outputs = Outputs(**outcome.output_paths(args, "page", "report"))
    settings = Settings(measure=args.measure, init=args.init, device=args.device, seed=args.seed, weights=args.weights)
    outputs.check([*scans, *weights_files(settings)])
    count = 0

    def done(path: Path, trial: TrialResult) -> None:
        nonlocal count
        count += 1
        if not args.quiet:
            line = f"{count} of {len(scans) * args.trials}: {path.name}, {_line(trial)}"
            print(printable(line), file=sys.stderr, flush=True)

    found = commission(scans, args.trials, args.tolerance, settings, done)
    written = _write(found, outputs)
    if not args.quiet:
        print(_summary(found, written))
    return 0 if found.passed else FAILED_STATUS


def _line(trial: TrialResult) -> str:
    """One trial in a few words."""
    return f"{trial.change}, {trial.contrast} contrast: {millimeters(trial.error_mm)}, {trial.registered.verdict}"


def _write(found: Commissioning, outputs: Outputs) -> list[Path]:
    """Write page and report, both or none."""
    from ..io.writing import report_content
    from ..pages.commissioning import page
    from ..pipeline.outputs import write_outputs
    from ..system.files import bytes_content

    report = found.report()
    made = {"report": report_content(report), "page": bytes_content(page(report).encode("utf-8"))}
    return write_outputs(outputs, [], made.__getitem__)[0]


def _summary(found: Commissioning, written: list[Path]) -> str:
    """A few lines for the user."""
    errors = [trial.error_mm for trial in found.trials]
    return outcome.lines(
        [
            ("result", "passed" if found.passed else "not passed: look at the page or the report"),
            ("registrations", f"{found.registrations_passed} of {len(errors)} within {found.tolerance_mm:g} mm"),
            ("error", f"{millimeters(sum(errors) / len(errors))} on average, {millimeters(max(errors))} at most"),
            ("bounds", f"{100 * found.claims_held:.0f} % of {2 * len(errors)} hold"),
            ("time", f"{found.seconds:.0f} s"),
            ("written", outcome.written(written)),
        ]
    )
