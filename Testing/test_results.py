"""The list of results is complete, and each of its commands is one that `madreg evaluate` takes."""

import argparse
import importlib.util
from pathlib import Path

import pytest

from madreg_benchmark import command as evaluate
from madreg_benchmark.methods import METHODS
from madreg_benchmark.protocol import LEVELS
from madreg_benchmark.studies import STUDIES

ROOT = Path(__file__).resolve().parents[1]
SPEC = importlib.util.spec_from_file_location("make_results", ROOT / "tools" / "make_results.py")
make_results = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make_results)


@pytest.mark.parametrize("quick", [False, True])
def test_every_command_is_understood(quick):
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    made = make_results.commands(None if quick else Path("cases"), Path("data"), Path("out"), [], quick)
    trunk = make_results.OF_THE_TRUNK
    assert list(made) == [folder for folder in make_results.RESULTS if not (quick and folder in trunk)]
    for folder, words in made.items():
        args = parser.parse_args(words[1:])
        assert words[0] == "evaluate" and args.out == Path("out") / folder
        assert set(args.methods or []) <= set(METHODS) and set(args.levels or []) <= set(LEVELS)
        pairs = Path("cases", "trunk") if folder in trunk else Path("cases")
        assert args.quick == quick and args.cases == (None if quick else pairs)
        assert (args.data is not None) == (folder in make_results.NEED_DATA)
        assert not (quick and (args.only or args.fresh_process))


def test_every_study_and_every_folder_of_results_can_be_made_again_and_is_explained():
    told = " ".join(make_results.RESULTS.values())
    assert all(f"--study {name}" in told for name in STUDIES)
    page = (ROOT / "docs" / "results" / "README.md").read_text()
    folders = [path.name for path in (ROOT / "docs" / "results").iterdir() if path.is_dir()]
    assert set(folders) <= set(make_results.RESULTS)
    assert all(f"`{folder}`" in page for folder in make_results.RESULTS)


def test_some_can_be_chosen():
    assert list(make_results.commands(Path("cases"), None, Path("out"), ["edges"], False)) == ["edges"]
