"""The list of results is complete, and each of its commands is one that the benchmark takes."""

from pathlib import Path

import pytest

from madreg.errors import InputError
from madreg_benchmark.cases.assembly import ASSEMBLIES
from madreg_benchmark.cases.levels import LEVELS
from madreg_benchmark.command import parser
from madreg_benchmark.methods.registry import METHODS
from madreg_benchmark.results import RESULTS, commands
from madreg_benchmark.studies.registry import STUDIES

DOCS = Path(__file__).resolve().parents[3] / "docs" / "results"


def asked(*words: str) -> dict[str, list[str]]:
    return commands(parser().parse_args(["results", *words, "--out", "out"]))


def test_every_command_is_understood():
    made = asked("cases", "--data", "data")
    assert list(made) == list(RESULTS)
    for folder, words in made.items():
        args = parser().parse_args(words)
        result = RESULTS[folder]
        assert args.out == Path("out", folder) and args.cases == Path("cases", result.cases)
        assert result.cases in ASSEMBLIES
        if args.command == "methods":
            assert set(args.methods) <= set(METHODS) and set(args.levels or []) <= set(LEVELS)
        else:
            assert (args.data is not None) == result.trains


def test_the_quick_forms_need_no_cases_and_no_data():
    made = asked("--quick")
    assert list(made) == [folder for folder, result in RESULTS.items() if result.cases == "heads"]
    for words in made.values():
        args = parser().parse_args(words)
        assert args.quick and args.cases is None and not args.only and not getattr(args, "fresh_process", False)


def test_every_study_and_every_folder_of_results_can_be_made_again_and_is_explained():
    listed = {result.command.split()[1] for result in RESULTS.values() if result.command.startswith("study ")}
    assert listed == set(STUDIES)
    page = (DOCS / "README.md").read_text(encoding="utf-8")
    folders = [path.name for path in DOCS.iterdir() if path.is_dir()]
    assert set(folders) <= set(RESULTS)
    assert all(f"`{folder}`" in page for folder in RESULTS)


def test_some_can_be_chosen_and_what_is_missing_is_said():
    assert list(asked("cases", "--only", "edges")) == ["edges"]
    with pytest.raises(InputError, match="There is no result nothing"):
        asked("cases", "--only", "nothing")
    with pytest.raises(InputError, match="--data"):
        asked("cases", "--only", "ablations")
