"""Which code, weights and command a figure comes from."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

from madreg import __version__
from madreg.errors import InputError

_CHECKOUT = Path(__file__).resolve().parents[4]
_MEASURED = ("MADRegistration/madreg", "Testing/Benchmark/madreg_benchmark")


def commit() -> str:
    """Short hash of the commit, with ``+`` if registration or benchmark differ from it; ``version x`` without git."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(_CHECKOUT), *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        changed = "+" if git("status", "--porcelain", "--", *_MEASURED) else ""
        return git("rev-parse", "--short=10", "HEAD") + changed
    except (OSError, subprocess.CalledProcessError):
        return f"version {__version__}"


def weights_hash() -> str:
    """First 12 digits of the SHA-256 of the bundled weights; ``none`` where there are none."""
    try:
        from madreg.network.weights import load

        return str(load()[1]["sha256"])[:12]
    except (ImportError, InputError, KeyError):
        return "none"


def command_line() -> str:
    """The command as typed, with the program's path shortened to its name."""
    return shlex.join(["madreg_benchmark", *sys.argv[1:]])


def made_from(commit: str, weights: str, seed: object, size: str) -> str:
    """The line that goes under every table and plot."""
    machine = f"{os.cpu_count()} CPUs, {platform.system()} {platform.machine()}"
    return f"Commit {commit}; weights {weights}; seed {seed}; {size}; {machine}; {command_line()}"
