"""Studies: questions put to pairs with known alignment.

A study is a module of this folder with a :class:`Study` named ``STUDY``, and a line in :data:`STUDIES`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from madreg.errors import InputError
from madreg_benchmark.protocol import Case
from madreg_benchmark.provenance import commit, made_from, weights_hash
from madreg_benchmark.runner import read_rows

STUDIES = {
    "predictions": "the distance that the network predicts against the true one, cases misaligned by 0 to 60 mm",
    "estimates": "the estimated error, its verdict and its map against the truth, cases misaligned by 0 to 40 mm and "
    "turned half round",
    "ablations": "what training needs: the network trained anew (--data) in variants that differ in one thing, "
    "75 minutes on one core",
    "anatomy": "whether the network is tied to heads: trained anew (--data) on heads, on made-up bodies and on both, "
    "35 minutes on one core",
    "edges": "how far random convolutions shift an edge",
    "costs": "processor time for one value of each measure, with and without its gradient",
    "landscapes": "each measure along and about every axis around the true pose",
    "bodies": "made-up bodies of blobs and tubes instead of heads: registration from any pose, and MAD's predictions",
    "sizes": "time and memory of a registration against the number of voxels, the first case at 64^3 to 512^3",
    "designs": "how often designs of the pose search find the right pose, and in which order its candidates stand best",
    "capture": "from how far gradient descent on each measure alone comes home, in mm and degrees",
}


@dataclass(frozen=True)
class Setting:
    """What a study works with.

    Attributes:
        cases: pairs with known alignment.
        out: folder for rows (:func:`collect`), tables and plots.
        quick: a small form of the study, of a minute or two.
        seed: of everything random.
        device: where networks run, as for ``madreg register``.
        data: folder with training data, for a study that trains.
        on_unit: to be called after every unit of progress.
    """

    cases: Sequence[Case]
    out: Path
    quick: bool = False
    seed: int = 0
    device: str = "auto"
    data: Path | None = None
    on_unit: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Study:
    """How to answer a question.

    Attributes:
        unit: what progress is counted in, such as ``pose``.
        units: how many of them there are to do.
        measure: does them and returns what was found.
        write: writes what was found, with the line that says what it was made from, into a folder as tables (CSV and
            Markdown) and plots; returns the table to be printed.
    """

    unit: str
    units: Callable[[Setting], int]
    measure: Callable[[Setting], Any]
    write: Callable[[Any, str, Path], str]


def find_study(name: str) -> Study:
    """The study of a name in :data:`STUDIES`."""
    return import_module(f".{name}", __package__).STUDY


def run_study(study: Study, setting: Setting) -> str:
    """Measure and write, with the commit of the rows where rows were kept; returns the table to be printed."""
    size = f"{len(setting.cases)} cases, {study.units(setting)} {study.unit}s"
    found = study.measure(setting)
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    commits = sorted({row["commit"] for row in rows if "commit" in row}) or [commit()]
    source = made_from(", ".join(commits), weights_hash(), setting.seed, size)
    return study.write(found, source, setting.out)


def collect(setting: Setting, name: str, keys: Sequence[dict], make: Callable[[dict], dict]) -> list[dict]:
    """Rows of a study in the order of ``keys``, kept in ``setting.out/NAME.jsonl`` one a line.

    Args:
        keys: what identifies each row, JSON-able; becomes part of the row.
        make: the rest of a row, from its key; called for the rows that are not in the file yet.

    Raises:
        InputError: if the file has rows of another seed or other weights: such figures must not be mixed.
    """
    path = setting.out / f"{name}.jsonl"
    stamp = {"seed": setting.seed, "weights": weights_hash(), "commit": commit()}
    earlier = read_rows(path)
    for row in earlier:
        for what in ("seed", "weights"):
            if row[what] != stamp[what]:
                raise InputError(
                    f"{path} has rows made with {what} {row[what]}, and this run has {stamp[what]}; "
                    "choose another --out."
                )
    path.write_text("".join(json.dumps(row) + "\n" for row in earlier))  # without a line that was cut off in writing
    rows = []
    for key in keys:
        row = next((row for row in earlier if key.items() <= row.items()), None)
        if row is None:
            row = {**key, **stamp, **make(key)}
            with path.open("a") as file:
                file.write(json.dumps(row) + "\n")
        rows.append(row)
        setting.on_unit()
    return rows
