"""The files of a training: scans to train on and to validate with, the folder of the results, and where weights come
from."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io.file_names import SCAN_SUFFIXES
from ..system.counted import counted


def scan_files(folder: Path, pattern: str = "*") -> list[Path]:
    """The scans of a folder by name, without hidden files, as macOS puts beside those on other disks.

    Raises:
        InputError: if there are none.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: give one that holds the scans to train on.")
    try:
        found = (path for path in folder.glob(pattern) if path.is_file() and not path.name.startswith("."))
        files = sorted(path for path in found if path.name.lower().endswith(SCAN_SUFFIXES))
    except (ValueError, NotImplementedError) as error:  # of an empty or an absolute pattern
        raise InputError(f'--match "{pattern}" is no pattern of names: give one such as "*T1w*".') from error
    if not files:
        raise InputError(
            f"{folder} holds no scan named {pattern}: give a folder with {', '.join(SCAN_SUFFIXES)} files."
        )
    return files


def checkout_commit() -> str:
    """The commit of this checkout, or nothing if it is none."""
    try:
        return subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def scans_of(folders: list[Path], pattern: str, held_out: int) -> tuple[list[list[Path]], list[list[Path]]]:
    """The scans of each folder to train on, and those that serve for validation alone.

    Raises:
        InputError: if a folder has too few.
    """
    files = [scan_files(folder, pattern) for folder in folders]
    for folder, found in zip(folders, files, strict=True):
        if len(found) <= held_out:
            raise InputError(f"{folder} holds only {counted(len(found), 'scan')}: give more, or a smaller --held-out.")
    cut = [len(found) - held_out for found in files]
    return (
        [found[:n] for found, n in zip(files, cut, strict=True)],
        [found[n:] for found, n in zip(files, cut, strict=True)],
    )


def prepare_folder(folder: Path) -> Callable[[str], None]:
    """Make the folder of a training; returns a function that prints a line and adds it to the folder's train.log.

    Raises:
        InputError: if it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "train.log").touch()
    except OSError as error:
        raise InputError(f"{folder} cannot be written to: give another --out.") from error

    def say(line: str) -> None:
        print(line, flush=True)
        with open(folder / "train.log", "a") as stream:
            stream.write(line + "\n")

    return say


def origin_of(files: list[list[Path]], held_out: list[list[Path]], seed: int) -> dict[str, Any]:
    """What a model card says of where weights come from: scans, seed, commit and command."""
    return {
        "data": [str(path) for found in files for path in found],
        "held_out": [str(path) for found in held_out for path in found],
        "seed": seed,
        "commit": checkout_commit(),
        "command": shlex.join(["madreg", *sys.argv[1:]]),
    }
