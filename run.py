"""Commands that do everything from a fresh checkout (Python 3.10 or newer, nothing else):

    python3 run.py demo             register the bundled pair and write the transform, the resampled scan and a picture
    python3 run.py test             check style, types and every test
    python3 run.py test --fast      only the tests that take seconds
    python3 run.py benchmark ...    measure registration on pairs with known alignment (benchmark --help)

All make ``.venv`` in the checkout when it is missing or out of date, install what is needed there and run.  Arguments
after the command go on to ``madreg demo``, ``pytest`` and ``python -m madreg_benchmark``.  Only the standard library is
used here.
"""

from __future__ import annotations

import hashlib
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "installed.txt"
LOG = VENV / "install.log"
BINARIES = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BINARIES / ("python.exe" if os.name == "nt" else "python")
MADREG = BINARIES / ("madreg.exe" if os.name == "nt" else "madreg")
OLDEST_PYTHON = (3, 10)
WORKERS = min(os.cpu_count() or 1, 4)  # processes of pytest, each of which takes up to 1.5 GB, and of mypy
LEAST_COVERAGE = 86  # per cent of the lines of madreg and MADRegistrationLib
QUIET_S = 10  # seconds without a line from pip after which a line says that it still runs
SHOWN = ("Collecting", "Downloading", "Obtaining", "Building", "Installing", "Successfully", "ERROR")


class SetupError(Exception):
    """Setting up failed; the message says why and what to do."""


def say(text: str) -> None:
    print(f"[run.py] {text}", flush=True)


def lock(extras: str) -> Path:
    """The file of versions and hashes for some extras, which tools/lock.py writes."""
    return ROOT / "requirements" / f"{extras or 'base'}.txt"


def fingerprint(extras: str) -> str:
    """What decides whether ``.venv`` is up to date: this Python, the place of the checkout and the requirements."""
    digest = hashlib.sha256(f"{sys.version_info[:3]} {ROOT}".encode())
    for path in (ROOT / "requirements.txt", ROOT / "pyproject.toml", lock(extras)):
        digest.update(path.read_bytes())
    return f"{extras or 'base'} {digest.hexdigest()}"


def installed() -> set[str]:
    """Fingerprints of what ``.venv`` holds, as far as it works; of one set of extras, the last."""
    if not (STAMP.is_file() and PYTHON.exists()):
        return set()
    return set(STAMP.read_text(encoding="utf-8").splitlines())


def follow(command: list[str], log: Path) -> int:
    """Run a command, write its output to ``log``, show its main lines; return its exit status."""
    lines: queue.Queue[str | None] = queue.Queue()
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )

    def read() -> None:
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    start = time.monotonic()
    try:
        with log.open("a", encoding="utf-8") as file:
            while True:
                try:
                    line = lines.get(timeout=QUIET_S)
                except queue.Empty:
                    print(f"    ... still at work, {time.monotonic() - start:.0f} s", flush=True)
                    continue
                if line is None:
                    break
                file.write(line)
                if line.strip().startswith(SHOWN):
                    print(f"    {line.strip()[:110]}", flush=True)
        return process.wait()
    except BaseException:
        process.kill()
        raise


def make_venv() -> None:
    """Create ``.venv`` with pip in it."""
    say(f"making {VENV}")
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
    if made.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        raise SetupError(
            f"Python could not make a virtual environment (on Debian and Ubuntu: sudo apt install python3-venv): "
            f"{(made.stdout + made.stderr).strip()}"
        )


def installed_from_indexes(extras: str) -> bool:
    """Whether pip could install what is locked, torch, and the checkout.

    All but torch is taken with the hashes of its files, from whatever index or mirror.  Builds of torch differ from
    index to index.  One that is named in ``MADREG_TORCH_INDEX`` is asked for torch and for nothing else, so that it
    cannot offer another package under a name that is wanted from PyPI.
    """
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    index = os.environ.get("MADREG_TORCH_INDEX")
    steps = [
        ["--no-deps", "--require-hashes", "-r", str(lock(extras))],
        *([["--no-deps", "--index-url", index, "-r", "requirements.txt"]] if index else []),
        ["-r", "requirements.txt"],
        ["--no-deps", "--no-build-isolation", "-e", "."],
    ]
    return all(follow([*pip, *step], LOG) == 0 for step in steps)


def set_up(extras: str) -> None:
    """Have ``.venv`` with madreg and its requirements; does nothing when that is so already."""
    wanted, present = fingerprint(extras), installed()
    if wanted in present or (not extras and present & {fingerprint("test"), fingerprint("benchmark")}):
        return
    say("setting up: 1 to 10 minutes, according to the network; 2 GB of disk (8 GB with a torch built for CUDA)")
    works = PYTHON.exists() and subprocess.run([str(PYTHON), "-m", "pip", "--version"], capture_output=True)
    if not works or works.returncode or not present:
        make_venv()
    start = time.monotonic()
    if not installed_from_indexes(extras):
        tail = LOG.read_text(encoding="utf-8").splitlines()[-12:]
        raise SetupError(
            "pip could not install the requirements; check the network and the free disk and run this again.\n"
            + "\n".join(f"    {line}" for line in tail)
            + f"\n    (all of it: {LOG})"
        )
    STAMP.write_text(wanted + "\n", encoding="utf-8")
    say(f"set up in {time.monotonic() - start:.0f} s")


def demo(arguments: list[str]) -> int:
    """Register the bundled pair."""
    set_up("")
    return subprocess.run([str(MADREG), "demo", *arguments], cwd=ROOT).returncode


def tests_run(report: Path) -> int:
    """How many tests of a JUnit report were run to their end, rather than skipped."""
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    return sum(int(suite.get("tests", 0)) - int(suite.get("skipped", 0)) for suite in suites)


def checks_pass() -> bool:
    """Whether style and types are as they should be."""
    return all(
        _run_module(*words) == 0 for words in (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",))
    )


def test(arguments: list[str]) -> int:
    """Check style and types, then run the tests; fails too when no test was run.

    ``--fast`` leaves out the slow tests and the floor of coverage, as do arguments that choose some tests.
    """
    set_up("test")
    if not checks_pass():
        return 1
    fast = "--fast" in arguments
    arguments = [word for word in arguments if word != "--fast"]
    options = ["-n", str(WORKERS), "--dist", "worksteal"]
    if not fast:
        options += ["-m", ""]
    if not fast and not arguments:
        options += ["--cov", "--cov-report=term:skip-covered", f"--cov-fail-under={LEAST_COVERAGE}", "--durations=25"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        status = _run_module("pytest", f"--junitxml={report}", *options, *arguments)
        if status == 0 and not tests_run(report):
            say("no test was run: that counts as a failure")
            return 1
    return status


def benchmark(arguments: list[str]) -> int:
    """Run the benchmark, which finds the peers that pip installed."""
    set_up("benchmark")
    path = os.pathsep.join(filter(None, (str(ROOT / "Testing" / "Benchmark"), os.environ.get("PYTHONPATH"))))
    command = [str(PYTHON), "-m", "madreg_benchmark", *arguments]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}).returncode


def _run_module(*words: str) -> int:
    """Run a module of ``.venv`` in the checkout and return its exit status.

    Without bytecode every process of a test, of which there are hundreds, would compile madreg again.
    """
    say(" ".join(words))
    environment = {**os.environ, "MYPY_NUM_WORKERS": str(WORKERS)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run([str(PYTHON), "-m", *words], cwd=ROOT, env=environment).returncode


COMMANDS = {"demo": demo, "test": test, "benchmark": benchmark}


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in COMMANDS:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    if sys.version_info < OLDEST_PYTHON:
        say(f"Python {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer is needed, this is {sys.version.split()[0]}")
        return 1
    try:
        return COMMANDS[arguments[0]](arguments[1:])
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("stopped; run the same command again to go on")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
