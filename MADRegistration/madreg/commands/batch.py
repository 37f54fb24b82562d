"""``madreg batch``: register all pairs of a table or of a BIDS data set."""

from __future__ import annotations

import argparse
import hashlib
import math
import sys
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..batch import bids, manifest, summary, table
from ..batch.former_files import check_former_files
from ..batch.pair import Pair
from ..errors import InputError
from ..settings import Settings, initialization_of
from . import outcome
from .messages import printable
from .options import add_options
from .register import FAILED_STATUS

if TYPE_CHECKING:
    from distributed import Client

    from ..batch.cluster import Share

LEVELS = ("participant", "group")
TIME_LIMIT = 60.0
"""Minutes for a pair: heads take less than one with a thread."""
LONGEST_LIMIT = 60 * 24 * 30
MOST_NAMED = 12
WAIT_SECONDS = 180.0
"""After this time without a worker on this computer the batch ends."""
EPILOG = """The batch goes on where it was when the same command is called again. Exit status: 0 if all pairs have a
result whose verdict is aligned or check, 1 if the table, the data set or the output folder cannot be used, 2 if the
command line cannot be understood, 3 if any pair has no result or the verdict failed, 130 if it was interrupted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.epilog = EPILOG
    parser.add_argument(
        "source", metavar="SOURCE", help=f"CSV table, a row for each pair, with the columns {', '.join(table.COLUMNS)}"
    )
    parser.add_argument("out", metavar="OUT", help="folder for all results, made if it is not there")
    parser.add_argument("--bids", action="store_true", help="SOURCE is a BIDS data set, and OUT becomes its derivative")
    parser.add_argument("--fixed", metavar="SUFFIX", help="with --bids: the fixed image, such as T1w")
    parser.add_argument("--moving", metavar="SUFFIXES", help="with --bids: the moving images, such as T2w,FLAIR,ct")
    parser.add_argument(
        "--participant-label", metavar="LABEL", nargs="+", default=[], help="with --bids: only these participants"
    )
    parser.add_argument(
        "--level",
        choices=LEVELS,
        metavar="|".join(LEVELS),
        help="participant: register, without the summary; group: only write the summary; default: both",
    )
    add_options(parser, "type", "init", "measure", "weights", "device", "seed")
    parser.set_defaults(init=None)  # depends on the initial transform of a row
    parser.add_argument("--resampled", action="store_true", help="write the moving image on the fixed grid too")
    parser.add_argument("--error-map", action="store_true", help="write the estimated local error too; not with --bids")
    parser.add_argument("--no-pictures", action="store_true", help="write neither overlays nor thumbnails")
    parser.add_argument(
        "--keep-failed",
        action="store_true",
        help="write the transform and the resampled image also if the verdict is failed",
    )
    parser.add_argument("--retry-failed", action="store_true", help="do pairs again that have no result")
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="Dask scheduler, such as tcp://head:8786 (default: this computer)"
    )
    parser.add_argument("--workers", metavar="N", type=_positive, help="processes on this computer (one a processor)")
    parser.add_argument(
        "--threads",
        metavar="N",
        type=_positive,
        help="processor threads of a registration (the processors are shared; 1 with --scheduler)",
    )
    parser.add_argument(
        "--time-limit",
        metavar="MINUTES",
        type=_minutes,
        default=TIME_LIMIT,
        help=f"time for a pair, after which its process is ended; 0 for no limit (default: {TIME_LIMIT:g})",
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= 4096:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number, 1 or greater')
    return number


def _minutes(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= LONGEST_LIMIT:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of minutes, 0 to {LONGEST_LIMIT}')
    return number


def run(args: argparse.Namespace) -> int:
    """Run the command; 0 if all pairs have a result, :data:`FAILED_STATUS` if any failed.

    Raises:
        InputError: if the table, the data set or the output folder cannot be used.
    """
    _check(args)
    out = Path(args.out)
    if args.level == "group":
        check_former_files(out, args.bids)
        return _summarized(args, out, list(manifest.read_all(out).values()))
    root = Path(args.source) if args.bids else Path(args.source).parent
    pairs = _pairs(args)
    _check_folder(out, root if args.bids else None)
    if not args.bids:
        summary.check_table(out, Path(args.source))
    check_former_files(out, args.bids)
    with manifest.opened(out, _part(args)) as record:
        if args.bids:
            _describe(Path(args.source), out)
        remaining = _adopted(record, record.remaining(pairs, args.retry_failed), out)
        if remaining:
            _do(args, pairs, remaining, record, root)
        entries = [record.entries[pair.id] for pair in pairs]
    if args.level == "participant":
        return _status(args, entries, [])
    return _summarized(args, out, entries if not args.bids else list(manifest.read_all(out).values()))


def _check(args: argparse.Namespace) -> None:
    """Raise InputError for options that do not go together."""
    if args.bids and not (args.fixed and args.moving) and args.level != "group":
        raise InputError("--bids needs --fixed and --moving: name the suffixes, such as --fixed T1w --moving T2w,ct.")
    if not args.bids and (args.fixed or args.moving or args.participant_label):
        raise InputError("--fixed, --moving and --participant-label choose images of a BIDS data set: add --bids.")
    if args.bids and args.error_map:
        raise InputError("--error-map is not part of a BIDS derivative: leave it out, or give a table.")
    if args.scheduler and args.workers:
        raise InputError("--workers starts processes on this computer: leave it out with --scheduler.")
    if args.level != "group":
        _check_common(args)


def _check_common(args: argparse.Namespace) -> None:
    """Raise InputError for settings of all pairs of which none can be registered with.

    Whether a device or weights can be used takes torch to find out; what is on other computers is not known here.
    """
    settings = Settings(args.type, args.measure, initialization_of(args.init, None), args.device, args.seed)
    settings.check()
    if args.weights is not None and not Path(args.weights).is_file():
        raise InputError(f"There are no weights at {args.weights}: give a .pt file that `madreg train` wrote.")
    if not args.scheduler and (args.weights is not None or args.device not in ("auto", "cpu")):
        from ..pipeline.job_inputs import checked_card

        checked_card(replace(settings, weights=args.weights))


def _check_folder(out: Path, dataset: Path | None) -> None:
    """Raise InputError unless it can become the output folder."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: give the name of a folder.")
    if dataset is not None and out.resolve() == dataset.resolve():
        raise InputError(
            f"{out} is the data set itself: give another folder, such as {dataset / 'derivatives/madreg'}."
        )


def _pairs(args: argparse.Namespace) -> list[Pair]:
    common: dict[str, Any] = {
        "type": args.type,
        "init": args.init,
        "measure": args.measure,
        "seed": args.seed,
        "device": args.device,
        "weights": None if args.weights is None else str(Path(args.weights).resolve()),
        "keep_failed": args.keep_failed,
    }
    pictures = not args.no_pictures
    if args.bids:
        moving = [word for word in args.moving.split(",") if word]
        dataset, labels = Path(args.source), args.participant_label
        pairs = bids.find_pairs(dataset, args.fixed, moving, labels, common, args.resampled, pictures)
        left_out = bids.participants_without(pairs, dataset, labels)
        if left_out and not args.quiet:
            outcome.print_notices([_left_out(left_out, args.fixed, moving)])
        return pairs
    names = table.output_names(pictures, args.resampled, args.error_map)
    return table.read_table(Path(args.source), common, names)


def _left_out(participants: list[str], fixed: str, moving: list[str]) -> str:
    """A sentence about participants of whom no pair is registered."""
    named = ", ".join(participants[:MOST_NAMED])
    more = f" and {len(participants) - MOST_NAMED} more" if len(participants) > MOST_NAMED else ""
    return f"{named}{more}: left out, without a {fixed} image or without one of {', '.join(moving)}."


def _part(args: argparse.Namespace) -> str:
    """Of which participants the manifest is; runs for different ones can go on at the same time."""
    labels = sorted({label.removeprefix("sub-") for label in args.participant_label})
    if len(labels) < 2:
        return f"sub-{labels[0]}" if labels else ""
    return "sub-" + hashlib.sha256(" ".join(labels).encode()).hexdigest()[:12]


def _describe(dataset: Path, out: Path) -> None:
    """Write the files at the top of a derivative."""
    from ..system.files import bytes_content, write_all

    write_all({out / name: bytes_content(text.encode()) for name, text in bids.dataset_files(dataset).items()})


def _adopted(record: manifest.Manifest, pairs: list[Pair], out: Path) -> list[Pair]:
    """Enter pairs whose files were complete when a former run was killed; returns the others."""
    remaining = []
    for pair in pairs:
        entry = manifest.result_of(pair, out)
        if entry is None:
            remaining.append(pair)
        else:
            record.add(entry)
    return remaining


def _do(
    args: argparse.Namespace, pairs: list[Pair], remaining: list[Pair], record: manifest.Manifest, root: Path
) -> None:
    """Register the pairs that remain."""
    from ..batch import cluster
    from ..batch import run as running
    from ..batch.progress_line import ProgressLine
    from ..batch.work import task_of

    opened, share = _cluster(args, len(remaining))
    left = {pair.id for pair in remaining}
    line = ProgressLine(len(pairs), [record.entries[pair.id] for pair in pairs if pair.id not in left])
    workers = 0

    def watch(number: int) -> None:
        nonlocal workers
        workers = number
        if number < share.workers:
            cluster.replenish(client, share)
        if not args.quiet:
            line.show(number)

    def add(entry: manifest.Entry) -> None:
        record.add(entry)
        line.add(entry)

    with opened as client:
        if not args.quiet:
            print(f"Dashboard: {client.dashboard_link}", file=sys.stderr)
        patience = None if args.scheduler else WAIT_SECONDS
        dispatcher = running.Dispatcher(client, add, running.on_worker, watch, patience)
        limit = 60 * args.time_limit or None
        dispatcher.run([task_of(pair, root, Path(args.out), share.threads, limit) for pair in remaining])
        if not args.quiet:
            line.end(workers)


def _cluster(args: argparse.Namespace, pairs: int) -> tuple[AbstractContextManager[Client], Share]:
    """The cluster, and its share of this computer; one elsewhere has no workers of ours."""
    from ..batch import cluster

    cluster.required()
    if args.scheduler:
        return cluster.connected(args.scheduler), cluster.Share(0, args.threads or 1)
    share = cluster.share_of_computer(pairs, args.workers, args.threads, args.device)
    return cluster.local(share), share


def _summarized(args: argparse.Namespace, out: Path, entries: list[manifest.Entry]) -> int:
    """Write the summary; returns the exit status."""
    if not entries:
        raise InputError(f"{out} has no results: register the pairs first.")
    return _status(args, entries, summary.write(out, entries))


def _status(args: argparse.Namespace, entries: list[manifest.Entry], written: list[Path]) -> int:
    """Say what has become of the pairs; returns the exit status."""
    number = manifest.counts(entries)
    if not args.quiet:
        print(f"{number['done']} of {len(entries)} done, {number['failed']} failed, {number['check']} to check")
        for path in written:
            print(printable(str(path)))
    return FAILED_STATUS if number["failed"] else 0
