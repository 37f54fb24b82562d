"""Write requirements/*.txt: the versions with which run.py works, with the hashes of their files.

    python tools/lock.py           # needs uv (pip install uv) and PyPI

One file for each set of extras that run.py installs, for Python 3.10 and newer on every system.  Not in them are torch,
which requirements.txt pins, and the CUDA packages that come with it: its builds differ from index to index, and so do
their hashes.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "requirements"
SETS = ("base", "test", "benchmark")
OLDEST_PYTHON = "3.10"
WITH_TORCH = re.compile(r"(torch|triton|nvidia-.*|cuda-.*)$")
BUILD = "setuptools>=68\n"  # by which pip installs the checkout itself
HEADER = "# Written by tools/lock.py; do not edit.\n"


def compiled(extras: list[str]) -> str:
    """What uv resolves for the checkout with some extras, as a requirements file with hashes."""
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder) / "build.in"
        build.write_text(BUILD)
        words = ["uv", "pip", "compile", "pyproject.toml", "requirements.txt", str(build), "--universal", "-q"]
        words += ["--python-version", OLDEST_PYTHON, "--generate-hashes", "--no-annotate", "--no-header"]
        words += [word for extra in extras for word in ("--extra", extra)]
        return subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def without_torch(text: str) -> str:
    """A requirements file without torch and what its builds bring with them."""
    entries = re.split(r"\n(?=\S)", text.strip())
    kept = [entry for entry in entries if not WITH_TORCH.match(re.split(r"[=\s]", entry, maxsplit=1)[0])]
    return HEADER + "\n".join(kept) + "\n"


def main() -> int:
    FOLDER.mkdir(exist_ok=True)
    for name in SETS:
        (FOLDER / f"{name}.txt").write_text(without_torch(compiled([] if name == "base" else [name])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
