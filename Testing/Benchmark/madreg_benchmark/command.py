"""The benchmark's command line: ``python -m madreg_benchmark COMMAND ...``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from madreg.errors import InputError
from madreg_benchmark import results
from madreg_benchmark.cases.assembly import ASSEMBLIES
from madreg_benchmark.cases.case import Case, load_cases
from madreg_benchmark.cases.levels import LEVELS
from madreg_benchmark.studies.registry import STUDIES, find_study
from madreg_benchmark.studies.study import Setting, run_study

if TYPE_CHECKING:
    from tqdm import tqdm

METHODS = ["default", "identity", "centers", "peer:mattes", "peer:elastix", "peer:ants", "peer:greedy_search"]
QUICK_METHODS = ["default", "nmi", "identity", "centers"]
QUICK_LEVELS = ["small", "large"]
NOT_BY_DEFAULT = ("small",)


def words(text: str) -> list[str]:
    """Words of a list with commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    made = argparse.ArgumentParser(
        prog="madreg_benchmark", description="Measure registration on pairs of scans with known alignment."
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary, add, run in (
        ("methods", "compare methods of registration", _methods_arguments, compare_methods),
        ("study", "answer a single question", _study_arguments, answer_question),
        ("assemble", "assemble a set of cases", _assemble_arguments, assemble),
        ("results", "make all results that docs/results reports", results.add_arguments, make_results),
    ):
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        add(command)
        command.set_defaults(run=run)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status; 1 with one sentence for input that cannot be used."""
    args = parser().parse_args(arguments)
    try:
        return args.run(args)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; the same command continues where it was.", file=sys.stderr)
        return 130


def _shared_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("cases", nargs="?", type=Path, metavar="CASES", help="folder with cases.json")
    command.add_argument(
        "--only", type=words, default=[], metavar="A,B,...", help="cases whose name contains one of these"
    )
    command.add_argument(
        "--out",
        type=Path,
        default=Path("madreg-benchmark"),
        metavar="DIR",
        help="rows, tables and plots go here; rows that are there already are not run again (%(default)s)",
    )
    command.add_argument("--seed", type=int, default=0, metavar="N", help="random seed (%(default)s)")
    command.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda", "mps"])
    command.add_argument(
        "--quick", action="store_true", help="a small form of a few minutes; without CASES on two synthetic heads"
    )


def _methods_arguments(command: argparse.ArgumentParser) -> None:
    _shared_arguments(command)
    command.add_argument(
        "--methods",
        type=words,
        metavar="A,B,...",
        help="default; mad, nmi, ngf, mad-distance (one measure alone, without search and refinement); mad:given and "
        "so on (from where the scans are); mad:search and so on (after the search); identity, centers; peer:mattes, "
        "peer:elastix, peer:ants, peer:ants_search, peer:greedy_search.  By default " + ",".join(METHODS),
    )
    command.add_argument(
        "--levels",
        type=words,
        metavar="A,B,...",
        help=f"how far apart the scans are: {', '.join(LEVELS)}; by default all but {', '.join(NOT_BY_DEFAULT)}",
    )
    command.add_argument("--trials", type=int, metavar="N", help="displacements of each case at each level (2)")
    command.add_argument(
        "--fresh-process",
        action="store_true",
        help="a new process a trial: the time a user waits, start-up included, and peak memory "
        "(without: from files to matrix in one process, for all methods alike)",
    )


def _study_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "name",
        choices=STUDIES,
        metavar="NAME",
        help="; ".join(f"{name}: {question}" for name, question in STUDIES.items()).replace("%", "%%"),
    )
    _shared_arguments(command)
    command.add_argument("--data", type=Path, metavar="DIR", help="training data, for a study that trains")


def _assemble_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "set",
        choices=ASSEMBLIES,
        metavar="SET",
        help="; ".join(f"{name}: {summary}" for name, (summary, _) in ASSEMBLIES.items()),
    )
    command.add_argument("source", type=Path, metavar="SOURCE")
    command.add_argument("out", type=Path, metavar="OUT", help="folder for cases.json and simulated scans")


def assemble(args: argparse.Namespace) -> int:
    """Assemble a set of cases.

    Raises:
        InputError: if something is missing in the source folder, or the output folder cannot be written.
    """
    _, function = ASSEMBLIES[args.set]
    print(f"{len(function(args.source, args.out))} cases in {args.out}")
    return 0


def compare_methods(args: argparse.Namespace) -> int:
    """Run methods over trials and write tables and plots.

    Raises:
        InputError: if the cases, methods or output folder cannot be used.
    """
    from madreg_benchmark.methods.method import Options
    from madreg_benchmark.methods.registry import find_methods
    from madreg_benchmark.report.comparison import write_report
    from madreg_benchmark.report.provenance import commit, weights_hash
    from madreg_benchmark.running.plan import Plan, finished_rows, run_plan

    cases = _cases(args)
    methods, notices = find_methods(args.methods or (QUICK_METHODS if args.quick else METHODS))
    for notice in notices:
        print(notice, file=sys.stderr)
    levels = args.levels or (QUICK_LEVELS if args.quick else [name for name in LEVELS if name not in NOT_BY_DEFAULT])
    trials = args.trials if args.trials is not None else (1 if args.quick else 2)
    options = Options(args.seed, args.device)
    plan = Plan(cases, methods, levels, trials, options, args.fresh_process, commit(), weights_hash())
    path = args.out / "results.jsonl"
    done = len(finished_rows(path, plan))
    with _progress(len(plan.row_keys()), "trial") as bar:
        bar.update(done)
        bar.unpause()

        def on_row(row: dict) -> None:
            bar.set_postfix_str(f"{row['method']} {row['case']} {row['level']}: {row['error_mm']:.2f} mm")
            bar.update()

        rows = run_plan(plan, path, on_row)
    print(write_report(rows, notices, args.out), end="")
    print(f"Rows, tables and plots are in {args.out}{os.sep}")
    return 0


def answer_question(args: argparse.Namespace) -> int:
    """Run a study and write its tables and plots.

    Raises:
        InputError: if the cases, training data or output folder cannot be used.
    """
    study = find_study(args.name)
    setting = Setting(_cases(args), args.out, args.quick, args.seed, args.device, args.data)
    with _progress(study.units(setting), study.unit) as bar:
        text = run_study(study, replace(setting, on_unit=bar.update))
    print(text, end="")
    print(f"Tables and plots are in {args.out}{os.sep}")
    return 0


def make_results(args: argparse.Namespace) -> int:
    """Run all commands that :mod:`madreg_benchmark.results` lists; the status of the first that fails, or 0."""
    for folder, line in results.commands(args).items():
        print(f"{folder}: {' '.join(line)}", flush=True)
        status = main(line)
        if status:
            return status
    return 0


def _cases(args: argparse.Namespace) -> list[Case]:
    """The cases that are asked for; the output folder is writable afterwards."""
    if args.cases is None and not args.quick:
        raise InputError("Give a folder with cases.json, or --quick for two synthetic heads.")
    _make_writable(args.out)
    if args.cases is None:
        from madreg_benchmark.cases.synthetic_head import write_cases

        args.cases = args.out / "synthetic"
        write_cases(args.cases)
    cases = [case for case in load_cases(args.cases) if not args.only or any(word in case.name for word in args.only)]
    if not cases:
        raise InputError(f"No case in {args.cases} has a name with {' or '.join(args.only)}.")
    return cases


def _make_writable(folder: Path) -> None:
    """Make the output folder and prove that it takes files, before any work.

    Raises:
        InputError: if it does not.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"{folder} cannot be written to ({error.strerror}); choose another --out.") from error


def _progress(total: int, unit: str) -> tqdm:
    from tqdm import tqdm

    return tqdm(total=total, unit=unit, disable=None, file=sys.stderr, smoothing=0.05)
