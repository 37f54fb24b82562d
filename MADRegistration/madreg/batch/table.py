"""The table of a batch: a CSV file with one row for each pair.

Nothing here loads torch, numpy or Dask.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path

from ..errors import InputError
from ..settings import INITIALIZATION, MEASURE, TYPE, Option, check_seed
from .pair import INPUTS, LONGEST_ID, PICTURES, RESULT, Pair, check_id

COLUMNS = ("id", *INPUTS, "type", "init", "measure", "seed")
REQUIRED = ("fixed", "moving")
CHOICES: dict[str, Option] = {"type": TYPE, "init": INITIALIZATION, "measure": MEASURE}
FOLDER = "pairs"
"""Folder of the pairs' folders in the output folder."""
LARGEST_TABLE = 1 << 28  # bytes


def read_table(
    path: Path, common: Mapping[str, object] | None = None, files: Mapping[str, str] | None = None
) -> list[Pair]:
    """The pairs of a CSV file, separated by commas, semicolons or tabs, UTF-8.

    Args:
        path: relative paths in the table are relative to its folder.
        common: values of fields of :class:`~madreg.batch.pair.Pair` for rows that have none.
        files: names of a pair's files in its folder, by their key in ``Pair.files``; :func:`output_names` if None.

    Raises:
        InputError: if it cannot be read, has an unknown column or value, no row, or the same pair or id twice.
    """
    rows = _rows(path)
    names = output_names() if files is None else files
    pairs = [_pair(row, f"Line {number} of {path}", common or {}, names) for number, row in rows]
    if not pairs:
        raise InputError(f"{path} has no row: give one for each pair, below the names of the columns.")
    check_unique(pairs, [f"line {number}" for number, _ in rows], str(path))
    return pairs


def output_names(pictures: bool = True, resampled: bool = False, error_map: bool = False) -> dict[str, str]:
    """Names of a pair's files in its folder."""
    return {
        "transform": "transform.tfm",
        "report": "report.json",
        **(PICTURES if pictures else {}),
        **({"resampled": "resampled.nii.gz"} if resampled else {}),
        **({"error_map": "error_map.nii.gz"} if error_map else {}),
        "page": "index.html",
        "result": RESULT,
    }


def check_unique(pairs: Iterable[Pair], places: Iterable[str], where: str) -> None:
    """Raise InputError if two pairs have one id, whatever the case of its letters."""
    seen: dict[str, str] = {}
    for pair, place in zip(pairs, places, strict=True):
        other = seen.setdefault(pair.id.lower(), place)
        if other is not place:
            raise InputError(f'{where} has the id "{pair.id}" twice ({other} and {place}): keep one of them.')


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Line number and values, without empty ones, of all rows that are not empty."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise InputError(f"{path} is a pipe or a device: give a CSV file.")
        if path.stat().st_size > LARGEST_TABLE:
            raise InputError(f"{path} is too large for a table of pairs: give a CSV file.")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: save the table as CSV in UTF-8.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): give a CSV file.") from error
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restkey="", strict=True)
    try:
        columns = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = columns
        _check_columns(path, columns)
        rows = []
        for row in reader:
            if row.get(""):
                raise InputError(
                    f"Line {reader.line_num} of {path} has more values than there are columns: correct it."
                )
            values = {name: value.strip() for name, value in row.items() if name and value and value.strip()}
            if values:
                rows.append((reader.line_num, values))
        return rows
    except csv.Error as error:
        raise InputError(f"Line {reader.line_num} of {path} is not CSV ({error}): correct it.") from error


def _check_columns(path: Path, columns: list[str]) -> None:
    for name in columns:
        if name and name not in COLUMNS:
            raise InputError(f'{path} has the unknown column "{name}": choose from {", ".join(COLUMNS)}.')
        if name and columns.count(name) > 1:
            raise InputError(f'{path} has the column "{name}" twice: keep one of them.')
    for name in REQUIRED:
        if name not in columns:
            raise InputError(f'{path} has no column "{name}": its first line names the columns, such as fixed,moving.')


def _pair(row: Mapping[str, str], where: str, common: Mapping[str, object], names: Mapping[str, str]) -> Pair:
    """The pair of a row.

    Raises:
        InputError: for a value that does not exist.
    """
    for name in REQUIRED:
        if name not in row:
            raise InputError(f"{where} has no {name} image: give its path.")
    values: dict[str, object] = {**common, **row}
    for name, option in CHOICES.items():
        if name in row:
            values[name] = option.normalized(row[name])
            if values[name] not in option.values:
                raise InputError(f'{where} has the {name} "{row[name]}": choose one of {", ".join(option.values)}.')
    if "seed" in row:
        values["seed"] = _seed(row["seed"], where)
    identifier = check_id(row["id"], where) if "id" in row else default_id(values)
    known = {one.name for one in fields(Pair)}
    assert set(values) <= known
    values["id"] = identifier
    return Pair(**{**values, "files": {key: f"{FOLDER}/{identifier}/{name}" for key, name in names.items()}})  # type: ignore[arg-type]


def _seed(text: str, where: str) -> int:
    try:
        return check_seed(int(text))
    except ValueError as error:  # InputError is one
        raise InputError(f'{where} has the seed "{text}": give a whole number, 0 or greater.') from error


def default_id(values: Mapping[str, object]) -> str:
    """An id from the name of the moving image and a hash of the values, which does not depend on the row's place."""
    digest = hashlib.sha256(json.dumps(dict(values), sort_keys=True).encode()).hexdigest()[:8]
    name = re.split(r"[\\/]", str(values["moving"]).rstrip("\\/"))[-1]
    name = re.sub(r"(\.nii|\.nrrd|\.mha|\.mhd|\.gz)+$", "", name, flags=re.IGNORECASE)
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "pair"
    return f"{name[: LONGEST_ID - 10]}-{digest}"
