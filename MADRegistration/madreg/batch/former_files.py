"""Files that lie in the output folder of a batch already: it replaces its own, and nobody else's.

Nothing here loads torch, numpy or Dask.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError

MARKS = {"index.html": b"<title>Registrations</title>", "summary.tsv": b"id\tstate\tverdict\t"}
"""Files of every batch, and what they hold."""

MARKS_OF_BIDS = {
    "dataset_description.json": b'"MADRegistration"',
    "README.md": b"# Registrations by MADRegistration",
    ".bidsignore": b"*_xfm.*",
}
"""Files at the top of a derivative besides."""

LONGEST = 1 << 16
"""Bytes of a file in which its mark is looked for."""


def check_former_files(folder: Path, is_bids: bool = False) -> None:
    """Refuse an output folder in which a batch would overwrite files that no batch has written.

    Raises:
        InputError: if there is one, or it cannot be read.
    """
    for name, mark in {**MARKS, **(MARKS_OF_BIDS if is_bids else {})}.items():
        path = folder / name
        try:
            with path.open("rb") as file:
                start = file.read(LONGEST)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise InputError(
                f"{path} cannot be read ({error.strerror}): give another folder for the results."
            ) from error
        if start and mark not in start:
            raise InputError(
                f"{path} was not written by a batch and would be overwritten: give another folder for the results."
            )
