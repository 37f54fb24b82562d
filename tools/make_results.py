"""Make every table and plot in docs/results again, or what is missing of it.

    python tools/make_results.py CASES --data DATA [--out DIR] [--only peers,capture]
    python tools/make_results.py --quick --out DIR        small forms of all, on made-up heads

CASES comes from ``madreg evaluate --make-cases DATA CASES`` and ``--make-trunk-cases PACKAGES CASES/trunk``.  Runs that
were cut off go on where they stopped.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
THREE = "--only sim_CT_T1_15,template_CT_T1,intra_T1_T2"
# folder: what `madreg evaluate CASES` is told
RESULTS = {
    "peers": "--methods default,peer:greedy_search --trials 3 --fresh-process",
    "trials": "--methods default --trials 10",
    "all_peers": "--methods identity,centers,peer:mattes,peer:elastix,peer:ants --fresh-process --trials 3",
    "measures": "--methods mad,nmi,ngf --levels small,large,any,affine,crop,anycrop --trials 2 "
    "--only CT_T1,T1_T2,FLAIR_T1,T1_FLAIR,PET_T1",
    "measures_given": "--methods mad:given,nmi:given,ngf:given --levels large --trials 1 --only CT_T1",
    "measures_search": "--methods default,mad:search,nmi:search,ngf:search --levels any --trials 1 "
    "--only CT_T1,T1_T2,FLAIR_T1,T1_FLAIR,PET_T1",
    "landscapes": f"--study landscapes {THREE}",
    "bodies": "--study bodies --seed 1",
    "capture": f"--study capture {THREE}",
    "designs": "--study designs",
    "predictions": "--study predictions",
    "estimates": "--study estimates",
    "edges": "--study edges",
    "costs": "--study costs",
    "sizes": "--study sizes --only sim_CT_T1_15",
    "ablations": f"--study ablations {THREE}",
    "anatomy": f"--study anatomy {THREE}",
    "trunk": "--methods default,peer:greedy_search --trials 2 --fresh-process",
    "trunk_predictions": "--study predictions",
    "trunk_estimates": "--study estimates",
}
NEED_DATA = ("ablations", "anatomy")
OF_THE_TRUNK = ("trunk", "trunk_predictions", "trunk_estimates")  # on cases of their own; left out of the small form


def commands(cases: Path | None, data: Path | None, out: Path, only: list[str], quick: bool) -> dict[str, list[str]]:
    """The arguments of ``madreg`` for each folder."""
    made = {}
    for folder, told in RESULTS.items():
        if (only and folder not in only) or (quick and folder in OF_THE_TRUNK):
            continue
        pairs = cases / "trunk" if cases and folder in OF_THE_TRUNK else cases
        words = [word for word in told.split() if not quick or word != "--fresh-process"]
        for option in ("--only", "--trials") if quick else ():  # the made-up heads have names of their own
            if option in words:
                del words[words.index(option) : words.index(option) + 2]
        made[folder] = [
            "evaluate",
            *([str(pairs)] if pairs else []),
            *words,
            *(["--quick"] if quick else []),
            *(["--data", str(data)] if data and folder in NEED_DATA else []),
            "--out",
            str(out / folder),
        ]
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="?", type=Path, metavar="CASES")
    parser.add_argument(
        "--data", type=Path, help=f"folder with folders of T1w scans to train on, for {' and '.join(NEED_DATA)}"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], help="these folders")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    needs_data = not args.only or any(folder in NEED_DATA for folder in args.only)
    if not args.quick and (args.cases is None or (args.data is None and needs_data)):
        parser.error("give CASES and --data, or --quick")
    for folder, words in commands(args.cases, args.data, args.out, args.only, args.quick).items():
        print(f"{folder}: madreg {' '.join(words)}", flush=True)
        done = subprocess.run([sys.executable, "-m", "madreg", *words])
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
