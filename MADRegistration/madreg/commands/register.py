"""``madreg register``: align a moving image to a fixed one and write the transform."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from ..image.volume import Volume
    from ..pipeline.result import Result
    from ..progress import Progress

DESCRIPTION = """The transform maps fixed points to moving points (LPS, mm): what ITK resamples with, and what puts the
moving volume in place when 3D Slicer loads and applies it."""
REASONS = {
    "aligned": "only your eyes can confirm it",
    "check": "look at the overlay before you rely on it",
    "failed": "try another --init, or masks around the common anatomy",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.epilog = DESCRIPTION
    parser.add_argument("fixed", metavar="FIXED", help="image that stays: NIfTI, NRRD, MHA or a folder of DICOM slices")
    parser.add_argument("moving", metavar="MOVING", help="image to be aligned to it")
    parser.add_argument("--transform", metavar="OUT", required=True, help="transform to write: .tfm, .txt, .h5 or .mat")
    parser.add_argument("--resampled", metavar="OUT", help="moving image on the fixed grid: .nii.gz, .nii, .nrrd, .mha")
    parser.add_argument("--report", metavar="OUT", help="matrix, stages, estimated error and settings: .json")
    parser.add_argument(
        "--error-map",
        metavar="OUT",
        help="estimated local error in mm over the fixed image, 0 where "
        "nothing can be said: .nii.gz, .nii, .nrrd, .mha",
    )
    parser.add_argument("--overlay", metavar="OUT", help="picture of before, after and a checkerboard: .png, .pdf")
    parser.add_argument("--type", choices=["rigid", "similarity", "affine"], default="rigid", help="(default: rigid)")
    parser.add_argument("--weights", metavar="FILE", help="MAD's network, from `madreg train` (the bundled one)")
    parser.add_argument(
        "--measure",
        choices=["default", "mad", "nmi", "ngf"],
        default="default",
        help="default: the whole pipeline; or one measure alone, at one resolution",
    )
    parser.add_argument(
        "--init",
        choices=["given", "geometry", "mass", "search"],
        help="begin where the images lie, with their centres of geometry or of mass aligned, or search "
        "every pose (default: search; given with --start)",
    )
    parser.add_argument("--start", metavar="IN", help="ITK transform to begin from")
    parser.add_argument("--fixed-mask", metavar="MASK", help="image on the fixed grid: what is 0 does not count")
    parser.add_argument("--moving-mask", metavar="MASK", help="image on the moving grid: what is 0 does not count")
    parser.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of everything random (default: 0)")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def run(args: argparse.Namespace) -> int:
    """Run the command; 0 if everything is written.

    Raises:
        InputError: if an input or an output cannot be used; then nothing is written.
    """
    outputs = _check_outputs(args)  # before torch is loaded and anything is read
    from ..io.reading import reading

    with reading((args.fixed, args.fixed_mask), (args.moving, args.moving_mask)) as reads:
        from ..errors import InputError
        from ..io import writing as output
        from ..network import weights
        from ..pictures import overlay
        from ..pipeline.registration import register
        from ..quality.error_map import error_map
        from ..settings import Settings
        from ..system import device

    weights.load(args.weights, device.choose(args.device))  # what is missing or damaged is found before the work
    start = None if args.start is None else output.read_transform(args.start)
    init = args.init or ("search" if start is None else "given")
    settings = Settings(
        type=args.type,
        measure=args.measure,
        init=init,
        device=args.device,
        seed=args.seed,
        start=start,
        weights=args.weights,
    )

    fixed, moving = (read.result() for read in reads)
    volumes = [scan.volume() for scan in (fixed, moving)]
    notices = fixed.notices + moving.notices
    with _progress_bar(args.quiet) as progress:
        result = register(*volumes, settings, progress)
    notices += result.notices

    jobs: dict[Path, Callable[[Path], None]] = {outputs["transform"]: partial(output.write_transform, result.matrix)}
    if "resampled" in outputs:
        resampled = output.resample(moving.image, fixed.image, result.matrix)
        jobs[outputs["resampled"]] = partial(output.write_image, resampled)
    worst = {}
    if "error_map" in outputs:
        if result.quality is None:
            raise InputError(
                f"{args.fixed} and {args.moving} have no common view after the registration, so there is "
                "no error map: leave out --error-map."
            )
        errors = error_map(volumes[0], result.quality)
        worst = errors.report()
        jobs[outputs["error_map"]] = errors.write
    if "report" in outputs:
        report = {"fixed": str(args.fixed), "moving": str(args.moving), **result.report(), **worst, "notices": notices}
        jobs[outputs["report"]] = partial(output.write_report, report)
    if "overlay" in outputs:
        figure = overlay.draw(
            *volumes,
            result.start,
            result.matrix,
            f"{_short(args.moving)} registered to {_short(args.fixed)}",
            _millimetres(result.error_before_mm),
            _millimetres(result.error_after_mm),
        )
        jobs[outputs["overlay"]] = partial(figure.savefig, dpi=110)
    output.write_all(jobs)
    if not args.quiet:
        for notice in notices:
            print(f"Note: {notice}", file=sys.stderr)
        print(summary(result, volumes[0], list(jobs)))
    return 0


def _check_outputs(args: argparse.Namespace) -> dict[str, Path]:
    """The paths to be written, by option, after checking that they can be."""
    from ..errors import InputError
    from ..io import writing as output

    suffixes = {
        "transform": output.TRANSFORM_SUFFIXES,
        "resampled": output.IMAGE_SUFFIXES,
        "error_map": output.IMAGE_SUFFIXES,
        "report": output.REPORT_SUFFIXES,
        "overlay": output.PICTURE_SUFFIXES,
    }
    inputs = [path for path in (args.fixed, args.moving, args.fixed_mask, args.moving_mask, args.start) if path]
    outputs = {
        option: output.check_output(getattr(args, option), known, inputs)
        for option, known in suffixes.items()
        if getattr(args, option) is not None
    }
    if len({path.resolve() for path in outputs.values()}) < len(outputs):
        raise InputError("Two outputs have the same name: give each a name of its own.")
    return outputs


def _short(path: str) -> str:
    return Path(path).resolve().name


def _millimetres(error: float | None) -> str:
    return "" if error is None else f"about {error:.1f} mm off"


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
                bar.set_postfix_str(f", about {progress.error_mm:.1f} mm off", refresh=False)
            bar.update(max(100 * progress.fraction - bar.n, 0))

        yield show


def summary(result: Result, fixed: Volume, files: list[Path]) -> str:
    """A few lines for a human: how far the images lay apart, how far they may still be, and what was written."""
    import numpy as np

    from ..image.geometry import apply, rotation_angle

    motion = result.matrix @ np.linalg.inv(result.start)
    center = fixed.grid.center
    shift = float(np.linalg.norm(apply(result.matrix, center) - apply(result.start, center)))
    lines = [
        ("verdict", f"{result.verdict}: {REASONS[result.verdict]}"),
        ("estimated error", _change(result.error_before_mm, result.error_after_mm)),
        ("rotation", f"{rotation_angle(motion[:3, :3]):.1f} degrees"),
        ("translation", f"{shift:.1f} mm (at the centre of the fixed image)"),
        ("scale", None if result.settings.type == "rigid" else _scales(motion)),
        ("overlap", f"{100 * result.overlap:.0f} % of the fixed content lies in the moving image"),
        ("time", f"{result.seconds:.1f} s on {result.device}"),
        ("written", ", ".join(str(path) for path in files)),
    ]
    return "\n".join(f"{name:<16} {text}" for name, text in lines if text is not None)


def _change(before: float | None, after: float | None) -> str | None:
    return None if before is None or after is None else f"{before:.1f} mm before, {after:.1f} mm after"


def _scales(motion: np.ndarray) -> str:
    """Stretch along the three principal directions."""
    import numpy as np

    return " x ".join(f"{value:.3f}" for value in np.linalg.svd(motion[:3, :3], compute_uv=False))
