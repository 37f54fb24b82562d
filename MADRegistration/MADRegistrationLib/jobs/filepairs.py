"""The pairs of files in a table, and what is known of them: table, manifest and files are those of ``madreg batch``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from madreg.batch import manifest, summary, table
from madreg.batch.former_files import check_former_files
from madreg.batch.pair import Pair
from madreg.settings import INITIALIZATION

NAMINGS = [table.output_names(*choices) for choices in product((False, True), repeat=3)]
"""Files that the command may have written: with or without pictures, resampled image and error map.  The panel writes
the first, as pictures need a package that Slicer does not have."""


def commonSettings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What rows have that say nothing else, so that they are the same pairs for ``madreg batch``.

    Args:
        settings: as of :func:`parameters.settingsOf`.
    """
    # None leaves it to the row: see madreg.settings.initialization_of
    init = None if settings["init"] == INITIALIZATION.default else settings["init"]
    return {**settings, "init": init, "weights": None, "keep_failed": False}


class FilePairs:
    """Read once; :meth:`add` keeps it up to date.

    Args:
        path: the table, see ``docs/batch.md``.
        folder: of all results; need not exist.
        common: see :func:`commonSettings`.

    Attributes:
        root: folder of the table, to which relative paths in it are relative, without links: as a batch reads them.
        pairs: one for each row, in their order.
        entries: of the manifest, by the id of the pair; those that were made with other values are left out.

    Raises:
        InputError: if the table or the manifest cannot be read, or the summary would overwrite the table or a file that
            no batch has written.
    """

    def __init__(self, path: Path, folder: Path, common: Mapping[str, Any]) -> None:
        summary.check_table(folder, path)
        check_former_files(folder)
        self.root, self.folder = path.parent.resolve(), folder
        self.pairs = table.read_table(path, common, NAMINGS[0])
        self.entries: dict[str, manifest.Entry] = {}
        found = manifest.read_all(folder)
        for pair in self.pairs:
            entry = found.get(pair.id)
            if entry is not None and entry["fingerprint"] in _fingerprints(pair):
                self.entries[pair.id] = entry

    def add(self, entry: manifest.Entry) -> int:
        """Take in what has become of a pair; returns its place."""
        self.entries[entry["id"]] = entry
        return next(place for place, pair in enumerate(self.pairs) if pair.id == entry["id"])

    @property
    def remaining(self) -> list[Pair]:
        """The pairs that are to be registered: the new ones, or if there are none, those without a result."""
        return self.new or self.withoutResult

    @property
    def new(self) -> list[Pair]:
        """The pairs that were not tried yet."""
        return [pair for pair in self.pairs if pair.id not in self.entries]

    @property
    def withoutResult(self) -> list[Pair]:
        """The pairs that were tried, and have none."""
        return [pair for pair in self.pairs if self.entries.get(pair.id, {"state": "done"})["state"] != "done"]


def _fingerprints(pair: Pair) -> list[str]:
    """Of the pair with each choice of files."""
    folder = f"{table.FOLDER}/{pair.id}"
    namings = ({key: f"{folder}/{name}" for key, name in names.items()} for names in NAMINGS)
    return [replace(pair, files=files).fingerprint() for files in namings]
