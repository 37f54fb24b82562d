"""Outputs that cannot be written, and commands that are interrupted or killed while they work."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from madreg import __main__ as entry
from madreg.commands import main as cli
from madreg.commands.messages import STOPPED
from madreg.pipeline import registration
from madreg.system.drafts import PREFIX
from madreg.system.files import bytes_content, write_file

from . import children, outcomes, scans

CALLS = ("fsync", "replace", "link", "chmod", "unlink", "open", "mkdir", "write")
ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EACCES)
OUTPUTS = {
    "--transform": ("t.tfm", "t.txt", "t.mat", "t.h5"),
    "--resampled": ("r.nii.gz", "r.nii", "r.nrrd", "r.mha"),
    "--report": ("r.json",),
    "--error-map": ("e.nrrd", "e.nii.gz"),
    "--overlay": ("o.png", "o.svg", "o.pdf"),
}
FORMER = b"of an earlier run"


class Place:
    """A pair of scans, and the registration of it, made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fixed, self.moving = folder / "fixed.nii.gz", folder / "moving.nii.gz"
        sitk.WriteImage(scans.image(1), str(self.fixed))
        sitk.WriteImage(scans.image(1, (4.0, -3.0, 6.0)), str(self.moving))
        real, self.real = registration.register, registration.register
        kept: list = []

        def register(fixed, moving, settings, progress=None):
            if not kept:
                kept.append(real(fixed, moving, settings, progress))
            return kept[0]

        registration.register = register  # in this process and its children
        options = ["--init", "none", "--measure", "nmi", "--keep-failed", "--quiet", "--device", "cpu"]
        self.command = ["register", str(self.fixed), str(self.moving), *options]
        first = folder / "first.tfm"
        if cli.main([*self.command, "--transform", str(first), "--error-map", str(folder / "first.nrrd")]) not in (
            0,
            3,
        ):
            raise RuntimeError("the registration does not work")

    def prepare(self, rng: np.random.Generator, real: bool = False) -> tuple[Path, list[str], list[str]]:
        """A new folder with some former files, the names that will be written, and the command line."""
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        names, command = [], list(self.command)
        for option, choices in OUTPUTS.items():
            if option == "--transform" or rng.random() < (0.2 if option == "--overlay" else 0.6):
                names.append(choices[rng.integers(len(choices))])
                command += [option, str(out / names[-1])]
        for name in names:
            if rng.random() < 0.7:
                (out / name).write_bytes(FORMER)
        return out, names, command


def state(out: Path, names: list[str], before: set[str]) -> str:
    """``old``, ``new``, ``mixed`` or ``left over``."""
    if any(path.name.startswith(PREFIX) for path in out.iterdir()):
        return "left over"
    old = [(out / name).read_bytes() == FORMER if name in before else not (out / name).exists() for name in names]
    new = [(out / name).exists() and (out / name).read_bytes() != FORMER for name in names]
    return "old" if all(old) else "new" if all(new) and complete(out, names) else "mixed"


def complete(out: Path, names: list[str]) -> bool:
    """Whether all files can be read."""
    import json

    from madreg.io import itk_transform, writing

    for name in names:
        try:
            if name.startswith("t."):
                itk_transform.read_transform(out / name)
            elif name.endswith(".json"):
                json.loads((out / name).read_text())
            elif name.startswith("o."):
                writing._check_picture(out / name)
            else:
                sitk.ReadImage(str(out / name))
        except (RuntimeError, ValueError, OSError):
            return False
    return True


def fail_at(number: int, error: int | None) -> None:
    """Have the n-th of :data:`CALLS` fail in this process, or end it if there is no error to fail with."""
    count = 0

    def wrapped(function: Callable) -> Callable:
        def call(*args, **options):
            nonlocal count
            count += 1
            if count == number:
                if error is None:
                    os._exit(9)
                raise OSError(error, os.strerror(error))
            return function(*args, **options)

        return call

    for name in CALLS:
        setattr(os, name, wrapped(getattr(os, name)))


def run_faults(
    counts: outcomes.Counts, number: int, seed: int, place: Place, report_progress: Callable[[], None]
) -> None:
    """Have so many commands fail at a random point of their writing."""
    for trial in counts.remaining("writes", number):
        rng = np.random.default_rng([seed, 1, trial])
        out, names, command = place.prepare(rng)
        before = {path.name for path in out.iterdir()}
        kind = ("a file cannot grow", "a call fails", "killed at a call")[trial % 3]
        limit = int(10 ** rng.uniform(0.5, 5.5)) if trial % 3 == 0 else -1
        call, error = int(rng.integers(1, 90)), ERRORS[rng.integers(len(ERRORS))]

        def work(command=command, trial=trial, call=call, error=error) -> int:
            if trial % 3:
                fail_at(call, error if trial % 3 == 1 else None)
            return cli.main(command)

        ending = children.run(work, 120.0, files=limit)
        if kind == "killed at a call" and ending.status == 9:
            write_file(out / "next.txt", bytes_content(b"next"))
            outcome = _by_state(state(out, names, before), outcomes.UNDONE, outcomes.UNDONE)
        elif ending.fault:
            outcome = ending.fault
        else:
            ok = ending.status in (0, 3)
            outcome = _by_state(
                state(out, names, before),
                outcomes.FALSE_SUCCESS if ok else outcomes.UNCHANGED,
                outcomes.WRITTEN if ok else outcomes.STRANGE,
            )
        detail = f"seed {seed} trial {trial}, {names}, {ending.brief()}"
        counts.add(f"writing: {kind}", outcome, detail, ("writes", trial))
        report_progress()


def _by_state(found: str, old: str, new: str) -> str:
    return {"old": old, "new": new, "mixed": outcomes.LOST, "left over": outcomes.LEFT_OVER}[found]


def run_interrupts(
    counts: outcomes.Counts, number: int, seed: int, place: Place, report_progress: Callable[[], None]
) -> None:
    """Interrupt so many commands at a random time."""
    rng = np.random.default_rng([seed, 2])
    _, _, command = place.prepare(rng)
    longest = children.run(lambda: cli.main(command), 120.0).seconds
    for trial in counts.remaining("interrupts", number):
        rng = np.random.default_rng([seed, 3, trial])
        out, names, command = place.prepare(rng)
        before = {path.name for path in out.iterdir()}
        sent = (signal.SIGINT, signal.SIGTERM)[trial % 2]
        times = sorted(rng.uniform(0, 1.2 * longest, 1 + trial % 3 // 2))

        def work(command=command, trial=trial) -> int:
            if trial % 4 == 0:
                registration.register = place.real
            return cli.main(command, restore=False)

        ending = children.run(
            work, 120.0, signals=tuple((at, sent) for at in times), prepare=entry.stop_at_once_on_signals
        )
        counts.add(
            f"interrupted by {sent.name}",
            interrupted(ending, state(out, names, before)),
            f"seed {seed} trial {trial}, {ending.brief()}",
            ("interrupts", trial),
        )
        report_progress()


def interrupted(ending: children.Ending, found: str) -> str:
    """The outcome of a command that was interrupted, with its files in a state."""
    if ending.fault:
        return ending.fault
    if ending.status == 130:
        return _by_state(found, outcomes.STOPPED, outcomes.STOPPED) if STOPPED in ending.err else outcomes.STRANGE
    if ending.status in (0, 3):
        return _by_state(found, outcomes.FALSE_SUCCESS, outcomes.WRITTEN)
    return outcomes.STRANGE
