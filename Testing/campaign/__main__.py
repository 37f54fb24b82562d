"""``python -m campaign``: run a campaign of faults, print its table, and fail if anything happened that must not."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded: children are forked
# Older Pythons leave half of a module's bytecode where a file cannot grow, for all that come later.
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
sys.dont_write_bytecode = True

SMALL = {
    "inputs": 90,
    "transforms": 40,
    "writes": 12,
    "interrupts": 8,
    "processes": 1,
    "lines": 30,
    "runs": 4,
    "cancels": 2,
}
LARGE = {
    "inputs": 2000,
    "transforms": 500,
    "writes": 500,
    "interrupts": 160,
    "processes": 40,
    "lines": 300,
    "runs": 1000,
    "cancels": 100,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m campaign", description=__doc__)
    parser.add_argument("--large", action="store_true", help=f"as many trials as are reported: {LARGE}")
    parser.add_argument("--seed", type=int, default=0)
    for name, number in SMALL.items():
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"trials ({number})")
    parser.add_argument("--only", action="store_true", help="nothing but what is named by its number of trials")
    parser.add_argument("--table", type=Path, help="Markdown file for the table")
    parser.add_argument("--json", type=Path, help="file for the counts and what must not be")
    parser.add_argument(
        "--journal", type=Path, help="file of trials that are done, which are not repeated; it gets those that follow"
    )
    args = parser.parse_args()
    numbers = {
        name: 0
        if args.only and getattr(args, name) is None
        else number
        if getattr(args, name) is None
        else getattr(args, name)
        for name, number in (LARGE if args.large else SMALL).items()
    }
    from madreg.system import process

    from .outcomes import Counts

    process.prepare()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which children of a shell's background job ignore
    counts = Counts.resumed(args.journal, args.seed) if args.journal else Counts(seed=args.seed)
    run(counts, numbers)
    print(counts.table())
    print("\n".join(counts.bad))
    if args.table:
        args.table.write_text(counts.table(), encoding="utf-8")
    if args.json:
        rows = [[kind, outcome, count] for (kind, outcome), count in sorted(counts.counts.items())]
        args.json.write_text(json.dumps({"counts": rows, "bad": counts.bad}, indent=1), encoding="utf-8")
    return 1 if counts.bad else 0


def run(counts, numbers: dict[str, int]) -> None:
    """Do so many trials of each step and count how they end."""
    import torch

    from . import commands, inputs, transforms, workers, writes

    torch.set_num_threads(1)
    seed = counts.seed
    with tempfile.TemporaryDirectory(prefix="campaign-") as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        tempfile.tempdir = str(folder / "tmp")  # of this process and its children
        place = None
        steps = {
            "lines": lambda n, report_progress: workers.run_lines(counts, n, seed, folder, report_progress),
            "inputs": lambda n, report_progress: inputs.run(counts, n, seed, folder, report_progress),
            "transforms": lambda n, report_progress: transforms.run(counts, n, seed, folder, report_progress),
            "writes": lambda n, report_progress: writes.run_faults(counts, n, seed, place, report_progress),
            "interrupts": lambda n, report_progress: writes.run_interrupts(counts, n, seed, place, report_progress),
            "processes": lambda n, report_progress: commands.run(counts, n, seed, place, report_progress),
            "cancels": lambda n, report_progress: workers.run_cancels(counts, n, seed, report_progress),
            "runs": lambda n, report_progress: workers.run_many(counts, n, folder, report_progress),
        }
        for step, work in steps.items():
            if not numbers[step]:
                continue
            if step in ("writes", "interrupts", "processes") and place is None:
                place = writes.Place(folder)
            work(numbers[step], _shower(step, numbers[step]))


def _shower(step: str, number: int):
    """Prints how far a step has come."""
    done = 0

    def report_progress() -> None:
        nonlocal done
        done += 1
        if sys.stderr.isatty() or done % 20 == 0:
            print(f"{step} {done}/{number}", file=sys.stderr, flush=True)

    return report_progress


if __name__ == "__main__":
    sys.exit(main())
