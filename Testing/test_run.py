"""run.py: what makes it set up again, and what makes its test command fail."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def runner(tmp_path: Path):
    """run.py as a module, with its checkout in a temporary folder."""
    spec = importlib.util.spec_from_file_location("run_for_test", ROOT / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ROOT = tmp_path
    module.VENV = tmp_path / ".venv"
    module.STAMP, module.LOG = module.VENV / "installed.txt", module.VENV / "install.log"
    module.PYTHON = Path(sys.executable)
    (tmp_path / "requirements").mkdir()
    for name in (
        "requirements.txt",
        "pyproject.toml",
        *(f"requirements/{n}.txt" for n in ("base", "test", "benchmark")),
    ):
        (tmp_path / name).write_text("first")
    module.VENV.mkdir()
    return module


def report(tmp_path: Path, tests: int, skipped: int) -> Path:
    path = tmp_path / "report.xml"
    path.write_text(f'<testsuites><testsuite name="pytest" tests="{tests}" skipped="{skipped}"/></testsuites>')
    return path


def test_set_up_once_until_the_requirements_change(runner, monkeypatch: pytest.MonkeyPatch) -> None:
    installs = []
    monkeypatch.delenv("MADREG_TORCH_INDEX", raising=False)
    monkeypatch.setattr(runner, "make_venv", lambda: None)
    monkeypatch.setattr(runner, "installed_from_indexes", lambda extras: installs.append(extras) or True)
    monkeypatch.setattr(runner.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=0))  # pip --version
    runner.set_up("")
    runner.set_up("")
    assert installs == [""]
    runner.set_up("test")
    runner.set_up("test")
    assert installs == ["", "test"]
    runner.set_up("")
    assert len(installs) == 2
    (runner.ROOT / "requirements.txt").write_text("second")
    runner.set_up("")
    assert installs == ["", "test", ""]
    runner.set_up("test")  # what was installed for the old requirements no longer counts
    (runner.ROOT / "requirements" / "test.txt").write_text("second")
    runner.set_up("test")
    assert installs[-2:] == ["test", "test"]
    runner.set_up("benchmark")  # which may have replaced versions
    runner.set_up("test")
    assert installs[-2:] == ["benchmark", "test"]


def test_failed_set_up_says_why_and_is_tried_again(runner, monkeypatch: pytest.MonkeyPatch) -> None:
    runner.PYTHON = runner.VENV / "none"

    def fail(command: list[str], log: Path) -> int:
        log.write_text("ERROR: No matching distribution found for torch==0\n")
        return 1

    monkeypatch.setattr(runner, "make_venv", lambda: None)
    monkeypatch.setattr(runner, "follow", fail)
    with pytest.raises(runner.SetupError, match="No matching distribution"):
        runner.set_up("")
    assert not runner.STAMP.exists()


def test_another_index_is_asked_for_torch_alone(runner, monkeypatch: pytest.MonkeyPatch) -> None:
    runner.PYTHON = runner.VENV / "none"
    started = []
    monkeypatch.setattr(runner, "make_venv", lambda: None)
    monkeypatch.setattr(runner, "follow", lambda command, log: started.append(command) or 0)
    monkeypatch.setenv("MADREG_TORCH_INDEX", "https://torch.example")
    runner.set_up("")
    locked, torch, *others = started
    assert "--no-deps" in torch and torch[-2:] == ["-r", "requirements.txt"] and "https://torch.example" in torch
    assert not any("--index-url" in command for command in (locked, *others))


def test_all_but_torch_is_installed_with_hashes(runner, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr(runner, "follow", lambda command, log: started.append(command) or 0)
    monkeypatch.delenv("MADREG_TORCH_INDEX", raising=False)
    assert runner.installed_from_indexes("test")
    locked, torch, checkout = started
    assert "--require-hashes" in locked and locked[-1] == str(runner.ROOT / "requirements" / "test.txt")
    assert torch[-2:] == ["-r", "requirements.txt"] and "--no-deps" in checkout and checkout[-2:] == ["-e", "."]


@pytest.mark.parametrize(("name", "extras"), [("base", []), ("test", ["test"]), ("benchmark", ["benchmark"])])
def test_what_the_project_asks_for_is_locked_for_every_python(name: str, extras: list[str]) -> None:
    tomllib = pytest.importorskip("tomllib", reason="needs Python 3.11")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [one for extra in extras for one in project["optional-dependencies"][extra]]
    locked = [Requirement(line) for line in entries(ROOT / "requirements" / f"{name}.txt")]
    for python in ("3.10", "3.11", "3.12", "3.13"):
        environment = {"python_version": python, "python_full_version": f"{python}.4", "sys_platform": "linux"}
        there = {one.name: one for one in locked if one.marker is None or one.marker.evaluate(environment)}
        assert not any(one.startswith(("torch", "nvidia")) for one in there)
        for one in map(Requirement, wanted):
            if one.name != "torch":
                (pin,) = there[canonicalize_name(one.name)].specifier
                assert pin.operator == "==" and pin.version in one.specifier, (one, python)


def entries(path: Path) -> list[str]:
    """The requirements of a file without their hashes, of which each has some."""
    text = path.read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines and all("--hash=sha256:" in line for line in lines)
    return [line.split(" --hash=")[0].strip() for line in lines]


def test_output_of_a_command_is_kept_and_its_status_returned(runner, capsys: pytest.CaptureFixture) -> None:
    code = "import sys; print('Collecting torch'); print('detail'); sys.exit(3)"
    assert runner.follow([sys.executable, "-c", code], runner.LOG) == 3
    assert runner.LOG.read_text().splitlines() == ["Collecting torch", "detail"]
    assert capsys.readouterr().out.strip() == "Collecting torch"


def test_a_quiet_command_is_reported_to_be_running(runner, capsys: pytest.CaptureFixture) -> None:
    runner.QUIET_S = 0.05
    assert runner.follow([sys.executable, "-c", "import time; time.sleep(0.5)"], runner.LOG) == 0
    assert "still at work" in capsys.readouterr().out


def test_skipped_tests_do_not_count_as_run(runner, tmp_path: Path) -> None:
    assert runner.tests_run(report(tmp_path, 5, 2)) == 3
    assert runner.tests_run(report(tmp_path, 4, 4)) == 0


class Commands:
    """Stands in for the commands that run.py starts, and keeps them."""

    def __init__(self, runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = tmp_path
        self.statuses: dict[str, int] = {}  # of the modules that do not end with 0
        self.tests, self.skipped = 3, 0
        self.started: list[list[str]] = []
        self.paths: list[str] = []
        monkeypatch.setattr(runner, "set_up", lambda extras: None)
        monkeypatch.setattr(runner.subprocess, "run", self.run)

    def run(self, command: list[str], **options) -> SimpleNamespace:
        module = command[2]
        self.started.append(command[2:])
        self.paths.append(options.get("env", {}).get("PYTHONPATH", ""))
        if module == "pytest":
            path = next(part.partition("=")[2] for part in command if part.startswith("--junitxml="))
            report(self.folder, self.tests, self.skipped).rename(path)
        return SimpleNamespace(returncode=self.statuses.get(module, 0))


@pytest.fixture
def commands(runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(runner, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("status", "tests", "skipped", "expected"), [(0, 3, 1, 0), (0, 3, 3, 1), (1, 3, 0, 1), (5, 0, 0, 5)]
)
def test_test_command_fails_with_pytest_and_without_tests(
    runner, commands: Commands, status: int, tests: int, skipped: int, expected: int
) -> None:
    commands.statuses["pytest"], commands.tests, commands.skipped = status, tests, skipped
    assert runner.test([]) == expected


@pytest.mark.parametrize("check", ["ruff", "mypy"])
def test_bad_style_or_types_end_the_test_command_before_the_tests(runner, commands: Commands, check: str) -> None:
    commands.statuses[check] = 1
    assert runner.test([]) == 1
    assert "pytest" not in [command[0] for command in commands.started]


def test_fast_leaves_out_slow_tests_and_the_floor_of_coverage(runner, commands: Commands) -> None:
    assert runner.test([]) == runner.test(["--fast"]) == runner.test(["-k", "geometry"]) == 0
    whole, fast, some = (command for command in commands.started if command[0] == "pytest")
    assert whole[whole.index("-m") + 1] == some[some.index("-m") + 1] == "" and "-m" not in fast
    assert "--fast" not in fast and "-k" in some
    assert [any("--cov-fail-under" in word for word in command) for command in (whole, fast, some)] == [
        True,
        False,
        False,
    ]


def test_the_benchmark_gets_its_arguments_and_finds_its_package(runner, commands: Commands) -> None:
    commands.statuses["madreg_benchmark"] = 7
    assert runner.benchmark(["study", "edges"]) == 7
    assert commands.started == [["madreg_benchmark", "study", "edges"]]
    assert commands.paths[0].split(os.pathsep)[0] == str(runner.ROOT / "Testing" / "Benchmark")


def test_unknown_command_prints_those_there_are(runner, capsys: pytest.CaptureFixture) -> None:
    assert runner.main(["install"]) == 2
    shown = capsys.readouterr().err
    assert all(f"run.py {command}" in shown for command in runner.COMMANDS)
