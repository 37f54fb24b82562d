"""``madreg register``: two scans in; a transform, a resampled scan, a report and a picture out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch takes seconds to load, which --help does not need
    from ..registration import Progress, Result
    from ..volume import Volume


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("fixed", type=Path, metavar="FIXED",
                        help="scan that stays where it is: NIfTI, NRRD, MHA, or a folder of DICOM slices")
    parser.add_argument("moving", type=Path, metavar="MOVING", help="scan to be aligned with it")
    parser.add_argument("--transform", type=Path, required=True, metavar="OUT.tfm",
                        help="write the ITK transform here (.tfm, .h5, .mat): fixed points to moving points, LPS, mm")
    parser.add_argument("--resampled", type=Path, metavar="OUT.nii.gz",
                        help="write the moving scan on the grid of the fixed one (.nii.gz, .nii, .nrrd, .mha)")
    parser.add_argument("--report", type=Path, metavar="OUT.json",
                        help="write matrix, errors, stages and settings")
    parser.add_argument("--overlay", type=Path, metavar="OUT.png",
                        help="write a picture: before, after, checkerboard")
    parser.add_argument("--type", default="rigid", choices=["rigid", "similarity", "affine"],
                        help="move and turn, scale as well, or scale and shear (%(default)s)")
    parser.add_argument("--measure", default="default", choices=["mad", "nmi", "ngf", "default"],
                        help="the pipeline (default), or one measure alone")
    parser.add_argument("--init", choices=["given", "geometry", "mass", "search"],
                        help="start where the scans are, from the centres of the images, from the centres of mass, or "
                             "search every pose (search; given with --start)")
    parser.add_argument("--start", type=Path, metavar="IN.tfm", help="linear ITK transform to start from")
    parser.add_argument("--fixed-mask", type=Path, metavar="M",
                        help="image on the fixed scan's grid: use only what is not 0 in it")
    parser.add_argument("--moving-mask", type=Path, metavar="M", help="the same for the moving scan")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="where to compute (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of everything random (%(default)s)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no summary")


def run(args: argparse.Namespace) -> int:
    """Run the command; 0 if all is written.

    Raises:
        InputError: if an input cannot be used or an output not be written.
    """
    from ..output import read_transform

    _check_outputs(args)
    start = None if args.start is None else read_transform(args.start)

    from .. import device
    from ..reading import read_image, volume_from_image
    from ..registration import Settings, register

    device.choose(args.device)
    notices: list[str] = []
    images, volumes = [], []
    for path, mask_path in ((args.fixed, args.fixed_mask), (args.moving, args.moving_mask)):
        images.append(read_image(path, notices))
        mask = None if mask_path is None else read_image(mask_path, notices)
        volume, more = volume_from_image(images[-1], str(path), mask)
        volumes.append(volume)
        notices += more
    init = args.init or ("given" if start is not None else "search")
    settings = Settings(args.type, args.measure, init, args.device, args.seed, start)
    with _progress_bar(args.quiet) as tell:
        result = register(*volumes, settings, tell)

    report = {"fixed": str(args.fixed), "moving": str(args.moving), **result.report()}
    report["translation_mm"] = _translation(result, volumes[0])
    report["notices"] = [*notices, *result.notices]
    _write(args, *images, *volumes, result, report)
    if not args.quiet:
        print("\n".join(_summary(args, report)))
    return 0


def _outputs(args: argparse.Namespace) -> list[Path]:
    return [path for path in (args.transform, args.resampled, args.report, args.overlay) if path is not None]


def _check_outputs(args: argparse.Namespace) -> None:
    from ..output import IMAGE_ENDINGS, TRANSFORM_ENDINGS, check_outputs

    kinds = ((args.transform, TRANSFORM_ENDINGS), (args.resampled, IMAGE_ENDINGS), (args.report, (".json",)),
             (args.overlay, (".png",)))
    inputs = (args.fixed, args.moving, args.fixed_mask, args.moving_mask, args.start)
    check_outputs([(path, endings) for path, endings in kinds if path is not None],
                  [path for path in inputs if path is not None])


@contextmanager
def _progress_bar(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A progress callback that draws a bar on a terminal's stderr, and nothing elsewhere."""
    from tqdm import tqdm

    with tqdm(total=100.0, disable=True if quiet else None, file=sys.stderr, leave=False,
              bar_format="{desc:<12} {percentage:3.0f} % |{bar}| {elapsed}, {remaining} left") as bar:

        def tell(progress: Progress) -> None:
            bar.set_description_str(progress.stage, refresh=False)
            bar.update(100 * progress.fraction - bar.n)

        yield tell


def _translation(result: Result, fixed: Volume) -> list[float]:
    """How far the point at the centre of the fixed scan is moved along x, y, z: LPS, mm."""
    from ..geometry import apply

    return (apply(result.matrix, fixed.grid.center) - apply(result.start, fixed.grid.center)).tolist()


def _write(args: argparse.Namespace, fixed_image: Any, moving_image: Any, fixed: Volume, moving: Volume,
           result: Result, report: dict) -> None:
    """All files that were asked for, together."""
    from ..output import replacing, resample, write_image, write_report, write_transform

    paths = _outputs(args)
    resampled = None if args.resampled is None else resample(fixed_image, moving_image, result.matrix)
    with replacing(*paths) as temporary:
        place = dict(zip(paths, temporary, strict=True))
        write_transform(place[args.transform], result.matrix)
        if resampled is not None:
            write_image(place[args.resampled], resampled)
        if args.report is not None:
            write_report(place[args.report], report)
        if args.overlay is not None:
            from ..overlay import write_overlay

            write_overlay(place[args.overlay], fixed, moving, result.start, result.matrix, _title(args, report))


def _errors(report: dict) -> str | None:
    """Estimated error before and after in words; None without an estimate."""
    before, after = report["error_before_mm"], report["error_after_mm"]
    if before is None or after is None:
        return None
    return f"{before:.1f} mm before, {after:.1f} mm after"


def _title(args: argparse.Namespace, report: dict) -> str:
    errors = _errors(report)
    distance = sum(t**2 for t in report["translation_mm"]) ** 0.5
    moved = f"moved by {distance:.1f} mm and {report['rotation_degrees']:.1f} degrees"
    return (f"{args.moving.name} on {args.fixed.name}\n"
            + (f"estimated error {errors}, {moved}" if errors else moved))


def _summary(args: argparse.Namespace, report: dict) -> list[str]:
    """Lines for the user."""
    x, y, z = report["translation_mm"]
    settings = report["settings"]
    lines = [
        f"{args.moving} onto {args.fixed}",
        f"  estimated error  {_errors(report) or 'not estimated'}",
        f"  rotation         {report['rotation_degrees']:.2f} degrees",
        f"  translation      {(x * x + y * y + z * z) ** 0.5:.2f} mm at the centre of the fixed scan "
        f"(L {x:.2f}, P {y:.2f}, S {z:.2f})",
    ]
    if settings["type"] != "rigid":
        lines.append(f"  volume           x {report['volume_scale']:.4f}")
    lines += [
        f"  overlap          {100 * report['overlap']:.0f} % of the fixed content lies in the moving scan",
        f"  time             {report['seconds']:.1f} s ({report['device']})",
        f"  written          {', '.join(os.fspath(path) for path in _outputs(args))}",
    ]
    return lines + [f"  note             {notice}" for notice in report["notices"]]
