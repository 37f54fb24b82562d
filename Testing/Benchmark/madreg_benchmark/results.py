"""The list of all results that docs/results reports, and the command of each."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from madreg.errors import InputError

THREE_HEADS = "--only sim_CT_T1_15,template_CT_T1,intra_T1_T2"
FIVE_CONTRASTS = "--only CT_T1,T1_T2,FLAIR_T1,T1_FLAIR,PET_T1"
TWENTY_SLABS = "--only " + ",".join(f"{number:02d}_" for number in range(20))
DEFAULT_OUT = Path(__file__).resolve().parents[3] / "docs" / "results"


@dataclass(frozen=True)
class Result:
    """A folder of results.

    Attributes:
        command: words of the benchmark's command line, without cases and folder.
        cases: folder of its cases inside CASES.
        trains: whether it needs training data.
    """

    command: str
    cases: str = "heads"
    trains: bool = False


RESULTS = {
    "peers": Result("methods --methods default,peer:greedy_search --trials 3 --fresh-process"),
    "trials": Result("methods --methods default --trials 10"),
    "all_peers": Result(
        "methods --methods identity,centers,peer:mattes,peer:elastix,peer:ants --fresh-process --trials 3"
    ),
    "measures": Result(
        "methods --methods mad-distance,nmi,ngf --levels small,large,any,affine,crop,anycrop --trials 2 "
        f"{FIVE_CONTRASTS}"
    ),
    "measures_given": Result(
        "methods --methods mad-distance:given,nmi:given,ngf:given --levels large --trials 1 --only CT_T1"
    ),
    "measures_search": Result(
        f"methods --methods default,mad-distance:search,nmi:search,ngf:search --levels any --trials 1 {FIVE_CONTRASTS}"
    ),
    "alone": Result(f"study alone {FIVE_CONTRASTS}"),
    "pelvis_alone": Result("study alone --only t2tra-p0_pd,t2tra-p2_pd,adc", "pelvis"),
    "published": Result("study published --only CT_T1"),
    "landscapes": Result(f"study landscapes {THREE_HEADS}"),
    "bodies": Result("study bodies --seed 1"),
    "capture": Result(f"study capture {THREE_HEADS}"),
    "designs": Result("study designs"),
    "predictions": Result("study predictions"),
    "distances": Result("study distances"),
    "estimates": Result("study estimates"),
    "bounds": Result("study bounds", "calibration"),
    "verdicts": Result("study verdicts --seed 1"),
    "verdicts_pelvis": Result("study verdicts --seed 1", "pelvis"),
    "verdicts_again": Result("study verdicts --seed 2"),
    "verdicts_pelvis_again": Result("study verdicts --seed 2", "pelvis"),
    "verdicts_calibration": Result("study verdicts --seed 1", "calibration"),
    "verdicts_slabs": Result(f"study verdicts --seed 1 {TWENTY_SLABS}", "slabs"),
    "other_tools": Result("study other_tools"),
    "edges": Result("study edges"),
    "costs": Result("study costs"),
    "sizes": Result("study sizes --only sim_CT_T1_15"),
    "ablations": Result(f"study ablations {THREE_HEADS}", trains=True),
    "anatomy": Result(f"study anatomy {THREE_HEADS}", trains=True),
    "feature_ablations": Result(
        "study feature_ablations --only head_09,simulated_11,simulated_14", "calibration", trains=True
    ),
    "trunk": Result("methods --methods default,peer:greedy_search --trials 2 --fresh-process", "trunk"),
    "trunk_predictions": Result("study predictions", "trunk"),
    "trunk_distances": Result("study distances", "trunk"),
    "trunk_estimates": Result("study estimates", "trunk"),
    "pelvis": Result(
        "methods --methods default,peer:greedy_search,peer:ants,peer:elastix,peer:mattes --trials 2 --fresh-process",
        "pelvis",
    ),
    "pelvis_estimates": Result("study estimates", "pelvis"),
    "slabs": Result("methods --methods default --levels affine,crop,anycrop --trials 1", "slabs"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    sets = ", ".join(dict.fromkeys(result.cases for result in RESULTS.values()))
    training = " and ".join(name for name, result in RESULTS.items() if result.trains)
    parser.add_argument(
        "cases", nargs="?", type=Path, metavar="CASES", help=f"folder with {sets}, each as `assemble` makes it"
    )
    parser.add_argument("--data", type=Path, help=f"folder with folders of T1w scans to train on, for {training}")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, metavar="DIR", help="(%(default)s)")
    parser.add_argument(
        "--only", type=lambda text: text.split(","), default=[], metavar="A,B,...", help="these folders"
    )
    parser.add_argument("--quick", action="store_true", help="small forms of all of heads, on synthetic heads")


def commands(args: argparse.Namespace) -> dict[str, list[str]]:
    """The words of the command line for each folder of results.

    Raises:
        InputError: if a folder is unknown, or cases or training data are not given where they are needed.
    """
    unknown = [name for name in args.only if name not in RESULTS]
    if unknown:
        raise InputError(f"There is no result {unknown[0]}; choose from {', '.join(RESULTS)}.")
    chosen = {name: result for name, result in RESULTS.items() if not args.only or name in args.only}
    if args.quick:
        return {
            name: [*_quick(result.command.split()), "--out", str(args.out / name)]
            for name, result in chosen.items()
            if result.cases == "heads"
        }
    if args.cases is None or (args.data is None and any(result.trains for result in chosen.values())):
        raise InputError("Give CASES and --data, or --quick.")
    return {
        name: [
            *_with_cases(result.command.split(), str(args.cases / result.cases)),
            *(["--data", str(args.data)] if result.trains else []),
            "--out",
            str(args.out / name),
        ]
        for name, result in chosen.items()
    }


def _with_cases(command: list[str], cases: str) -> list[str]:
    """The command with its cases where they belong, before all options."""
    place = next((number for number, word in enumerate(command) if word.startswith("--")), len(command))
    return [*command[:place], cases, *command[place:]]


def _quick(command: list[str]) -> list[str]:
    """The small form of a command: one process, and all of the synthetic heads, which have names of their own."""
    words = [word for word in command if word != "--fresh-process"]
    for option in ("--only", "--trials"):
        if option in words:
            del words[words.index(option) : words.index(option) + 2]
    return [*words, "--quick"]
