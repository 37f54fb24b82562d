"""Real registrations by ``madreg batch`` while its workers, and now and then the command itself, are killed at random.

What is written stays in a folder, and a later call with the same folder goes on.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import SimpleITK as sitk

SIZE, SPACING = 14, 4.0
CHOICES = ("--init", "none", "--measure", "nmi", "--device", "cpu", "--keep-failed")  # takes the least time


def trial(folder: Path, pairs: int, kills: int, seconds: float, seed: int = 0) -> dict[str, object]:
    """Register pairs with kills, then the same by ``madreg register`` as far as time suffices, and compare the files.

    Args:
        folder: of scans and results.
        kills: of workers; one in ten more is of the command, which is called again.
        seconds: for the batch and for the single registrations each.
    """
    table, out = folder / "scans" / "table.csv", folder / "out"
    if not table.exists():
        _write_scans(table, pairs)
    _batch(table, out, pairs, kills, time.monotonic() + seconds, seed)
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    done = Counter(line["id"] for line in lines if line["state"] == "done")
    again = [line["id"] for line in lines if line["attempts"] == 2]
    compared, different = _compare(folder, _in_order(list(done), again, seed), time.monotonic() + seconds)
    killed = _killed(folder)
    return {
        "pairs": pairs,
        "done": len(done),
        "workers killed": killed.count("worker"),
        "commands killed": killed.count("command"),
        "twice": sum(times > 1 for times in done.values()),
        "without files": sum(not (out / "pairs" / name / "transform.tfm").exists() for name in done),
        "tried again": len(set(again)),
        "marked": sum(line["state"] == "killed" for line in lines),
        "compared": compared,
        "different": different,
    }


def _write_scans(table: Path, pairs: int) -> None:
    """Two images of each of so many sets of ellipsoids, which differ in their intensities and lie apart."""
    table.parent.mkdir(parents=True)
    for number in range(pairs):
        random_ = np.random.default_rng(number)
        grid = np.stack(np.meshgrid(*[np.arange(SIZE) - (SIZE - 1) / 2] * 3, indexing="ij"))
        radius = 0.4 * SIZE
        labels = ((grid**2).sum(0) < radius**2).astype(int)
        for label in range(2, 7):
            center, axes = random_.uniform(-0.5, 0.5, (3, 1, 1, 1)), random_.uniform(0.2, 0.5, (3, 1, 1, 1))
            inside = (((grid / radius - center) / axes) ** 2).sum(0) < 1
            labels[inside & (labels > 0)] = label
        shift = sitk.TranslationTransform(3, random_.uniform(-4, 4, 3))
        for name in ("f", "m"):
            values = np.append(0, random_.uniform(300, 1000, 6))
            image = sitk.GetImageFromArray(values[labels] + random_.normal(0, 5, labels.shape))
            image.SetSpacing([SPACING] * 3)
            if name == "m":
                image = sitk.Resample(image, shift)
            sitk.WriteImage(sitk.Cast(image, sitk.sitkFloat32), str(table.parent / f"{name}{number}.nii.gz"))
    rows = [f"p{number:04d},f{number}.nii.gz,m{number}.nii.gz" for number in range(pairs)]
    table.write_text("\n".join(["id,fixed,moving", *rows]) + "\n")


# --- the batch and the kills ----------------------------------------------------------------------------------------


def _batch(table: Path, out: Path, pairs: int, kills: int, end: float, seed: int) -> None:
    """Call the command until all pairs are done or it is time, and kill meanwhile."""
    chance = random.Random(seed)
    every = kills // 10
    moments = sorted(chance.sample(range(1, pairs - 5), kills + every))
    commands = set(chance.sample(moments, every))
    moments = moments[len(_killed(out.parent)) :]
    words = [sys.executable, "-m", "madreg", "batch", str(table), str(out), *CHOICES, "--workers", "2", "--threads"]
    while time.monotonic() < end:
        process = subprocess.Popen([*words, "1", "--no-pictures", "--retry-failed"])
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
            if moments and _number_done(out) >= moments[0]:
                workers = _workers(process.pid)
                if moments[0] in commands:
                    process.kill()
                    _note(out.parent, "command")
                elif workers:
                    os.kill(chance.choice(workers), signal.SIGKILL)
                    _note(out.parent, "worker")
                else:
                    continue
                moments.pop(0)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait()
        if _number_done(out) == pairs:
            return


def _number_done(out: Path) -> int:
    try:
        return (out / "manifest.jsonl").read_bytes().count(b'"state": "done"')
    except OSError:
        return 0


def _workers(parent: int) -> list[int]:
    """The processes that a batch has started to register."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    threads = Path(f"/proc/{parent}/task").glob("*/children") if children.exists() else []
    found = [int(word) for path in threads for word in path.read_text().split()]
    return [pid for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def _note(folder: Path, what: str) -> None:
    with (folder / "kills.txt").open("a") as file:
        file.write(f"{what}\n")


def _killed(folder: Path) -> list[str]:
    path = folder / "kills.txt"
    return path.read_text().split() if path.exists() else []


# --- the single command ---------------------------------------------------------------------------------------------


def _in_order(names: list[str], again: list[str], seed: int) -> list[str]:
    """Those that were tried again first, the others at random."""
    random.Random(seed).shuffle(names)
    return sorted(names, key=lambda name: name not in again)


def _compare(folder: Path, names: list[str], end: float) -> tuple[int, int]:
    """How many transforms were compared with those of the single command, and how many differ."""
    from madreg.commands.main import main

    alone = folder / "alone"
    alone.mkdir(exist_ok=True)
    compared = different = 0
    for name in names:
        number, path = int(name[1:]), alone / f"{name}.tfm"
        if not path.exists() and time.monotonic() < end:
            scans = [str(folder / "scans" / f"{letter}{number}.nii.gz") for letter in ("f", "m")]
            main(["register", *scans, "--transform", str(alone / "new.tfm"), *CHOICES, "--quiet"])
            shutil.move(alone / "new.tfm", path)
        batch = folder / "out" / "pairs" / name / "transform.tfm"
        if path.exists() and batch.exists():
            compared += 1
            different += path.read_bytes() != batch.read_bytes()
    return compared, different
