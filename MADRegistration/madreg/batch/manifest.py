"""What has become of the pairs: ``manifest.jsonl`` in the output folder, one JSON object a line.

Lines are only appended.  A line that was cut off when the process was killed is removed by the next run.  Nothing here
loads torch, numpy or Dask.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ..errors import InputError
from ..system.locks import try_lock
from .pair import Pair

Entry = dict[str, Any]
"""Of one pair: ``id``, ``fingerprint``, ``state`` (``done``, ``error`` or ``killed``), ``attempts``, and what
:mod:`madreg.batch.work` adds."""

NAME = "manifest"
SUFFIX = ".jsonl"
SYNC_SECONDS = 1.0
STATES = ("done", "error", "killed")
NUMBERS = (
    *("error_before_mm", "error_after_mm", "bound_mm", "overlap", "margin", "consensus", "rotation_degrees"),
    *("volume_scale", "seconds", "attempts"),
)
NoneType = type(None)


class Manifest:
    """A manifest that is open for appending; :func:`opened` makes it.

    Attributes:
        path: the file.
        entries: the latest line of each pair, of all manifests in the folder, by id.
    """

    def __init__(self, path: Path, stream: IO[bytes], entries: dict[str, Entry]) -> None:
        self.path, self.entries = path, entries
        self._stream, self._synced = stream, time.monotonic()

    def add(self, entry: Entry) -> None:
        """Append a line; at most :data:`SYNC_SECONDS` later it is on the disk.

        Raises:
            InputError: if the disk does not take it.
        """
        self.entries[entry["id"]] = entry
        try:
            self._stream.write(json.dumps(entry, sort_keys=True).encode("ascii") + b"\n")
            self._stream.flush()
            if time.monotonic() - self._synced > SYNC_SECONDS:
                self.sync()
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be written ({error.strerror}): free space on the disk and run the same command "
                "again."
            ) from error

    def sync(self) -> None:
        """Wait until all lines are on the disk."""
        os.fsync(self._stream.fileno())
        self._synced = time.monotonic()

    def remaining(self, pairs: Iterable[Pair], retry_failed: bool = False) -> list[Pair]:
        """The pairs that are still to be done: not in the manifest, or with other values than they were done with.

        Args:
            retry_failed: whether to do those again that failed without a result.
        """
        return [pair for pair in pairs if not _is_done(self.entries.get(pair.id), pair, retry_failed)]


def _is_done(entry: Entry | None, pair: Pair, retry_failed: bool) -> bool:
    if entry is None or entry["fingerprint"] != pair.fingerprint():
        return False
    return entry["state"] == "done" or not retry_failed


@contextmanager
def opened(folder: Path, part: str = "") -> Iterator[Manifest]:
    """Open the manifest of an output folder, for this process alone.

    Args:
        part: of a run for some participants, whose lines go into a manifest of their own.

    Raises:
        InputError: if another process has it open, or it cannot be written.
    """
    path = folder / f"{NAME}{'_' if part else ''}{part}{SUFFIX}"
    descriptor = _locked(folder, path)
    try:
        try:
            _remove_cut_line(path)
            entries, stream = read_all(folder), path.open("ab")
        except OSError as error:
            raise InputError(f"{path} cannot be written ({error.strerror}): check your rights to it.") from error
        with stream:
            manifest = Manifest(path, stream, entries)
            yield manifest
            manifest.sync()
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _locked(folder: Path, path: Path) -> int | None:
    """A lock on a manifest, which ends when its descriptor is closed; None where there are no locks."""
    lock = folder / f".{path.stem}.lock"
    try:
        lock.mkdir(parents=True, exist_ok=True)
        return try_lock(lock)
    except BlockingIOError as error:
        raise InputError(f"Another batch is writing to {folder}: wait for it, or give another folder.") from error
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written ({error.strerror}): give a folder that you may write to."
        ) from error


def read_all(folder: Path) -> dict[str, Entry]:
    """The latest line of each pair, of all manifests in a folder, by id.

    Raises:
        InputError: if a file cannot be read, or a line other than the last is not a manifest's.
    """
    entries: dict[str, Entry] = {}
    for path in sorted(folder.glob(f"{NAME}*{SUFFIX}")):
        for entry in _read(path):
            former = entries.get(entry["id"])
            if former is None or former.get("finished", 0) <= entry.get("finished", 0):
                entries[entry["id"]] = entry
    return entries


def _read(path: Path) -> Iterator[Entry]:
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): check your rights to it.") from error
    for number, line in enumerate(lines[:-1], 1):  # what follows the last newline was cut off, or is empty
        entry = parsed(line)
        if entry is None:
            raise InputError(f"Line {number} of {path} is damaged: remove the line, and its pair is done again.")
        yield entry


def parsed(line: bytes) -> Entry | None:
    """The entry of a line; None if it is none."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and _is_entry(entry) else None


def _is_entry(values: Entry) -> bool:
    """Whether what the summary and the pages use is of the right kind."""
    return (
        all(isinstance(values.get(key), str) for key in ("id", "fingerprint"))
        and values.get("state") in STATES
        and all(isinstance(values.get(key, 0), (int, float, NoneType)) for key in NUMBERS)
        and isinstance(values.get("finished", 0), (int, float))
        and all(isinstance(values.get(key, ""), (str, NoneType)) for key in ("verdict", "message", "fixed", "moving"))
        and all(isinstance(values.get(key, {}), dict) for key in ("settings", "files"))
        and all(isinstance(name, str) for name in values.get("files", {}).values())
        and isinstance(values.get("notices", []), list)
        and all(isinstance(notice, str) for notice in values.get("notices", []))
    )


def _remove_cut_line(path: Path) -> None:
    """Cut off what follows the last newline."""
    if path.exists():
        with path.open("r+b") as stream:
            data = stream.read()
            stream.truncate(data.rfind(b"\n") + 1)


def result_of(pair: Pair, out: Path) -> Entry | None:
    """The entry that a worker left with the files of a pair; None unless it is of the same values."""
    try:
        entry = parsed((out / pair.files["result"]).read_bytes())
    except OSError:
        return None
    return entry if entry is not None and entry["fingerprint"] == pair.fingerprint() else None


def counts(entries: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many pairs are ``done``, how many of these are to ``check``, and how many ``failed``."""
    found = {"done": 0, "check": 0, "failed": 0}
    for entry in entries:
        if is_failed(entry):
            found["failed"] += 1
        else:
            found["done"] += 1
            found["check"] += entry.get("verdict") == "check"
    return found


def is_failed(entry: Mapping[str, Any]) -> bool:
    """Whether a pair has no result, or one with the verdict ``failed``."""
    return entry["state"] != "done" or entry.get("verdict") == "failed"
