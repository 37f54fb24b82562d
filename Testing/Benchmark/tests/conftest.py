"""What tests of the benchmark share."""

import importlib.util
import io
import re
from pathlib import Path

import pytest
import SimpleITK as sitk
from tqdm import tqdm

from madreg.learn.scans import Scan
from madreg_benchmark import command
from madreg_benchmark.cases.case import Case
from madreg_benchmark.cases.synthetic_head import write_cases
from madreg_benchmark.studies.trainings import synthetic_heads

BELOW_SKULL = 21  # slices of a synthetic head


@pytest.fixture
def run():
    """Function: run a command line, words of any type, and return the status; an InputError is not caught."""

    def run(*words: object) -> int:
        args = command.parser().parse_args([str(word) for word in words])
        return args.run(args)

    return run


@pytest.fixture(scope="session")
def cases(tmp_path_factory) -> list[Case]:
    """The two pairs of synthetic heads as files, without neck and chin, which take time; they are read only."""
    cases = write_cases(tmp_path_factory.mktemp("cases"))
    for path in (path for case in cases for path in (case.fixed, case.moving)):
        sitk.WriteImage(sitk.ReadImage(str(path))[:, :, BELOW_SKULL:], str(path))
    return cases


@pytest.fixture(scope="session")
def training_heads() -> tuple[list[list[Scan]], list[list[Scan]]]:
    """Synthetic heads to train on, and held-out ones; they are read only."""
    return synthetic_heads()


@pytest.fixture
def quick_study(run, cases, tmp_path, capsys, monkeypatch):
    """Function: run the quick form of a study on one synthetic head by the command line, and return its folder.

    Its page, what is printed and its progress have been checked then.
    """
    bars = []

    def progress(total: int, unit: str) -> tqdm:
        bars.append(tqdm(total=total, unit=unit, file=io.StringIO()))
        return bars[-1]

    def study(name: str):
        monkeypatch.setattr(command, "_progress", progress)
        folder = cases[0].fixed.parent
        assert run("study", name, folder, "--quick", "--only", "CT_T1", "--device", "cpu", "--out", tmp_path) == 0
        assert bars[-1].n == bars[-1].total > 0
        page = (tmp_path / f"{name}.md").read_text(encoding="utf-8")
        assert re.search(r"Commit \S+; weights \S+; seed \d+; 1 cases, \d+ \w+; ", page)
        table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
        assert len(table) > 2 and all(line in page for line in table)
        return tmp_path

    return study


# The synthetic head of the tests of madreg serves here as well; fixtures are shared by name.
_SPEC = importlib.util.spec_from_file_location("madreg_fixtures", Path(__file__).parents[2] / "madreg" / "conftest.py")
_FIXTURES = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_FIXTURES)
globals().update({name: value for name, value in vars(_FIXTURES).items() if not name.startswith("_")})
