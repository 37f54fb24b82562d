"""``madreg evaluate``: measure how well registration works, beside other tools, on pairs with known alignment."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from madreg.errors import InputError
from madreg_benchmark.protocol import LEVELS, load_cases
from madreg_benchmark.studies import STUDIES, Setting, find_study, run_study

METHODS = "default,identity,centers,peer:mattes,peer:elastix,peer:ants,peer:greedy_search"


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("cases", nargs="?", type=Path, metavar="CASES", help="folder with cases.json")
    parser.add_argument(
        "--methods",
        type=_words,
        metavar="A,B,...",
        help="default, mad, nmi, ngf (a measure alone: no search, no refinement), mad:search, "
        "nmi:search, ngf:search (alone after the default's search), identity, centers, "
        "peer:mattes, peer:elastix, peer:ants, peer:ants_search, peer:greedy_search; "
        f"by default {METHODS}",
    )
    parser.add_argument(
        "--levels",
        type=_words,
        metavar="A,B,...",
        help=f"how far apart the scans are: {', '.join(LEVELS)}; by default all but small",
    )
    parser.add_argument("--trials", type=int, metavar="N", help="displacements of each case at each level (2)")
    parser.add_argument(
        "--only", type=_words, default=[], metavar="A,B,...", help="cases whose name contains one of these"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("madreg-evaluation"),
        metavar="DIR",
        help="rows, tables and plots go here; rows that are there already are not run again",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of our own methods (0)")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda", "mps"])
    parser.add_argument(
        "--fresh-process",
        action="store_true",
        help="a new process a trial: the time a user waits, start-up included, and peak memory "
        "(without: from files to matrix in one process, for all methods alike)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a few minutes: levels small and large, one trial, methods default, nmi, identity and "
        "centers, or a small form of the study; without CASES on two made-up heads",
    )
    parser.add_argument(
        "--study",
        default="registrations",
        choices=["registrations", *STUDIES],
        metavar="NAME",
        help="what to find out: registrations (default: the methods above beside each other); "
        + "; ".join(f"{name}: {question}" for name, question in STUDIES.items()),
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="training data, for a study that trains")
    parser.add_argument(
        "--make-cases",
        nargs=2,
        type=Path,
        metavar=("DATA", "OUT"),
        help="instead: assemble the validation cases from a data folder",
    )
    parser.add_argument(
        "--make-trunk-cases",
        nargs=2,
        type=Path,
        metavar=("PACKAGES", "OUT"),
        help="instead: assemble cases of the trunk and the spine from two packages of PyPI",
    )


def _writable(folder: Path) -> None:
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


def _progress(total: int, unit: str):
    from tqdm import tqdm

    return tqdm(total=total, unit=unit, disable=None, file=sys.stderr, smoothing=0.05)


def run(args: argparse.Namespace) -> int:
    """Run the command; 0 if all is written.

    Raises:
        InputError: if the cases, methods or output folder cannot be used.
    """
    if args.make_cases:
        from madreg_benchmark.assemble import assemble

        print(f"{len(assemble(*args.make_cases))} cases in {args.make_cases[1]}")
        return 0
    if args.make_trunk_cases:
        from madreg_benchmark.trunk import assemble_trunk

        print(f"{len(assemble_trunk(*args.make_trunk_cases))} cases in {args.make_trunk_cases[1]}")
        return 0
    if args.cases is None and not args.quick:
        raise InputError("Give a folder with cases.json, or --quick for two made-up heads.")
    _writable(args.out)
    if args.cases is None:
        from madreg_benchmark.phantom import write_cases

        args.cases = args.out / "phantoms"
        write_cases(args.cases)
    cases = [c for c in load_cases(args.cases) if not args.only or any(word in c.name for word in args.only)]
    if not cases:
        raise InputError(f"No case in {args.cases} has a name with {' or '.join(args.only)}.")
    return _evaluate_methods(args, cases) if args.study == "registrations" else _evaluate_study(args, cases)


def _evaluate_methods(args: argparse.Namespace, cases: list) -> int:
    from madreg_benchmark.methods import Options, find_methods
    from madreg_benchmark.provenance import commit, weights_hash
    from madreg_benchmark.report import write_report
    from madreg_benchmark.runner import Plan, finished_rows, run_plan

    names = args.methods or (["default", "nmi", "identity", "centers"] if args.quick else _words(METHODS))
    methods, notices = find_methods(names)
    for notice in notices:
        print(notice, file=sys.stderr)
    levels = args.levels or (["small", "large"] if args.quick else [level for level in LEVELS if level != "small"])
    trials = args.trials if args.trials is not None else (1 if args.quick else 2)
    plan = Plan(
        cases, methods, levels, trials, Options(args.seed, args.device), args.fresh_process, commit(), weights_hash()
    )
    path = args.out / "results.jsonl"
    done = len(finished_rows(path, plan))
    with _progress(len(plan.keys()), "trial") as bar:
        bar.update(done)
        bar.unpause()

        def on_row(row: dict) -> None:
            bar.set_postfix_str(f"{row['method']} {row['case']} {row['level']}: {row['error_mm']:.2f} mm")
            bar.update()

        rows = run_plan(plan, path, on_row)
    print(write_report(rows, notices, args.out), end="")
    print(f"Rows, tables and plots are in {args.out}{os.sep}")
    return 0


def _evaluate_study(args: argparse.Namespace, cases: list) -> int:
    study = find_study(args.study)
    setting = Setting(cases, args.out, args.quick, args.seed, args.device, args.data)
    with _progress(study.units(setting), study.unit) as bar:
        text = run_study(study, replace(setting, on_unit=bar.update))
    print(text, end="")
    print(f"Tables and plots are in {args.out}{os.sep}")
    return 0
