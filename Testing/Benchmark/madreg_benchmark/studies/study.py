"""What a study is: a question that is answered with pairs of known alignment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madreg_benchmark.cases.case import Case
from madreg_benchmark.report.provenance import commit, made_from, weights_hash
from madreg_benchmark.running.rows import append_row, read_rows, refuse_mixture, write_rows


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
            refuse_mixture(path, row, what, stamp[what])
    write_rows(path, earlier)
    rows = []
    for key in keys:
        row = next((row for row in earlier if key.items() <= row.items()), None)
        if row is None:
            row = {**key, **stamp, **make(key)}
            append_row(path, row)
        rows.append(row)
        setting.on_unit()
    return rows
