"""Damaged and hostile scans, given to the command."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from madreg.commands import main as cli
from madreg.io import reading
from madreg.network import weights
from madreg.pipeline import registration

from . import children, outcomes, scans
from .damage import Damage, damage

LIMIT_SECONDS = 60.0
NOTICE = "there is a notice"


class ReadingFinishedError(Exception):
    """Both scans were read; the registration would begin."""


def read_only(folder: Path, scan: Path, role: int) -> Callable[[], int]:
    """What a child does: ``madreg register`` up to the registration; prints a digest of what it has read."""

    def begin(fixed, moving, settings, progress=None):
        volume = (fixed, moving)[role]
        digest = hashlib.sha256(volume.data.numpy().tobytes() + volume.mask.numpy().tobytes())
        digest.update(np.round(volume.grid.matrix, 3).tobytes())
        print(digest.hexdigest())
        raise ReadingFinishedError

    real = reading.read_scan

    def read(path, mask=None):
        loaded = real(path, mask)
        if Path(path) == scan and loaded.notices:
            print(NOTICE)
        return loaded

    def work() -> int:
        registration.register, reading.read_scan = begin, read
        paths = [folder / "good.nii.gz", folder / "good.nii.gz"]
        paths[role] = scan
        try:
            return cli.main(["register", *map(str, paths), "--transform", str(folder / "out.tfm"), "--device", "cpu"])
        except ReadingFinishedError:
            sys.stdout.flush()
            return 0

    return work


def run(counts: outcomes.Counts, number: int, seed: int, folder: Path, report_progress: Callable[[], None]) -> None:
    """Try so many damaged scans."""
    weights.load()  # once for all children
    intact = scans.write(folder)
    shutil.copy(intact["nii.gz"], folder / "good.nii.gz")
    digests = {}
    for name, path in intact.items():
        ending = children.run(read_only(folder, path, 0), LIMIT_SECONDS)
        if ending.status != 0:
            raise RuntimeError(f"the intact {name} is refused: {ending.brief()}")
        digests[name] = ending.out.strip()
    for trial in counts.remaining("inputs", number):
        rng = np.random.default_rng([seed, trial])
        name = list(intact)[trial % len(intact)]
        path, done = _damaged(intact[name], name, folder / f"trial{trial}", rng)
        ending = children.run(read_only(folder, path, int(rng.integers(2))), LIMIT_SECONDS)
        outcome = outcome_of(ending, done, digests[name])
        if children.leftovers():
            outcome = outcomes.LEFT_OVER
        detail = f"seed {seed} trial {trial}, {ending.brief()}"
        counts.add(f"{name}: {done.kind}", outcome, detail, ("inputs", trial))
        if outcome not in outcomes.BAD:
            shutil.rmtree(folder / f"trial{trial}")
        report_progress()


def _damaged(path: Path, name: str, folder: Path, rng: np.random.Generator) -> tuple[Path, Damage]:
    """A damaged copy, and what was done."""
    folder.mkdir()
    copy = folder / path.name
    if name != "dicom":
        done = damage(path.read_bytes(), name, rng)
        copy.write_bytes(done.data)
        return copy, done
    shutil.copytree(path, copy)
    slices = sorted(copy.iterdir())
    chosen = slices[rng.integers(1, len(slices) - 1)]  # without an end slice a series is merely shorter
    done = damage(chosen.read_bytes(), name, rng)
    chosen.write_bytes(done.data)
    return copy, done


def outcome_of(ending: children.Ending, done: Damage, digest: str) -> str:
    """How the reading of a damaged file ended, of which an intact one has that digest."""
    if ending.fault:
        return ending.fault
    if ending.status == 1:
        return outcomes.REFUSED
    if ending.status != 0:
        return outcomes.STRANGE
    if ending.out.strip() == digest:
        return outcomes.INTACT
    if NOTICE in ending.out:
        return outcomes.NOTICED
    if not done.detectable:
        return outcomes.UNDETECTABLE
    return outcomes.TAKEN
