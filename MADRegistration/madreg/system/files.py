"""Files that are written whole or not at all, several at a time.

Drafts are written into a folder beside their targets, synced and read back.  Then, with signals held back, the former
files are kept aside, the drafts are moved into place, and the former files are given up.  If anything fails, the
former files are put back.  If this process is killed, the next run does so, from a journal in the folder.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .locks import locked, try_lock
from .signals import deferred_signals
from .stderr import suppressed

PREFIX = ".madreg-"
JOURNAL = "journal.json"
STALE_SECONDS = 24 * 3600.0
"""After this time a folder of drafts is taken for a dead process's where the file system has no locks."""


@dataclass(frozen=True)
class Content:
    """What goes into a file.

    Attributes:
        write: writes it to the path that it is given; may raise OSError, RuntimeError or ValueError.
        check: reads it back from there, and raises one of these unless it is what was to be written.
    """

    write: Callable[[Path], object]
    check: Callable[[Path], object]


@dataclass(frozen=True)
class _Move:
    """A draft, where it goes, and where the former file is kept meanwhile."""

    target: Path
    draft: Path
    former: Path

    def keep_former(self) -> None:
        """Keep the file that is about to be replaced, and give the draft its mode and owner."""
        try:
            before = os.stat(self.target)
        except FileNotFoundError:
            return
        os.chmod(self.draft, stat.S_IMODE(before.st_mode))
        if hasattr(os, "chown") and (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
            with suppress(OSError):
                os.chown(self.draft, before.st_uid, before.st_gid)
        try:
            os.link(self.target, self.former)
        except OSError:  # a file system without hard links
            shutil.copy2(self.target, self.former)

    def entry(self) -> dict:
        """For the journal."""
        return {"target": self.target.name, "inode": os.stat(self.draft).st_ino, "former": self.former.name}


def write_all(contents: Mapping[Path, Content], durable: bool = True) -> None:
    """Write several files, all or none.

    The modes of files that are replaced are kept; links are followed.

    Args:
        contents: what goes into each file.
        durable: whether to wait until the files are on the disk.

    Raises:
        InputError: if one cannot be written, for instance on a full disk; then all files are as they were.
    """
    targets = {target: Path(os.path.realpath(target)) for target in contents}
    with ExitStack() as stack:
        stages: dict[Path, Path] = {}
        moves: dict[Path, _Move] = {}
        for number, (target, content) in enumerate(contents.items()):
            real = targets[target]
            with _reported(target):
                if real.parent not in stages:
                    stages[real.parent] = stack.enter_context(_stage(real.parent))
                stage = stages[real.parent]
                move = _Move(real, stage / f"{number}{_ending(real)}", stage / f"{number}.former")
                with suppressed():  # HDF5 prints pages about a full disk
                    content.write(move.draft)
                if durable:
                    _sync(move.draft)
                with suppressed():
                    content.check(move.draft)
            moves[target] = move
        _put_in_place(moves, stages, durable)


def write_file(path: Path, content: Content) -> None:
    """Write one file whole or not at all: :func:`write_all`."""
    write_all({Path(path): content})


def bytes_content(data: bytes) -> Content:
    """Some bytes as the content of a file."""

    def check(path: Path) -> None:
        if path.read_bytes() != data:
            raise ValueError("it reads back differently")

    return Content(lambda path: path.write_bytes(data), check)


@contextmanager
def _reported(target: Path) -> Iterator[None]:
    """Turn what goes wrong with a target into one sentence."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:  # SimpleITK reports everything as a RuntimeError
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it was not complete"
        raise InputError(
            f"{target} cannot be written ({reason}): check the free space and your rights to {target.parent}."
        ) from error


def _ending(path: Path) -> str:
    """The ending by which libraries recognize formats, such as ``.nii.gz``."""
    name = path.name
    return name[-len(".nii.gz") :] if name.lower().endswith(".nii.gz") else path.suffix


# --- moving into place ----------------------------------------------------------------------------------------------


def _put_in_place(moves: Mapping[Path, _Move], stages: Mapping[Path, Path], durable: bool) -> None:
    """Move all drafts to their targets, or none."""
    with ExitStack() as stack:
        for folder in sorted(stages):  # in one order, so that two runs do not wait for each other
            with _reported(folder / "*"):
                stack.enter_context(locked(folder))
        stack.enter_context(deferred_signals())
        try:
            for target, move in moves.items():
                with _reported(target):
                    move.keep_former()
            for folder, stage in stages.items():
                with _reported(folder / JOURNAL):
                    _write_journal(stage, [move for move in moves.values() if move.target.parent == folder], durable)
            for target, move in moves.items():
                with _reported(target):
                    os.replace(move.draft, move.target)
            for folder, stage in stages.items():
                with _reported(folder / "*"):
                    if durable:
                        _sync_folder(folder)
                    os.unlink(stage / JOURNAL)
        except BaseException:
            _put_back(moves, stages)
            raise


def _put_back(moves: Mapping[Path, _Move], stages: Mapping[Path, Path]) -> None:
    """Undo the moves that were made.

    Raises:
        InputError: if that is not possible; then the former files stay where the message says.
    """
    lost = []
    for move in moves.values():
        try:
            if move.draft.exists():
                continue  # not moved yet
            if move.former.exists():
                os.replace(move.former, move.target)
            else:
                os.unlink(move.target)
        except OSError:
            lost.append(move)
    if lost:
        for move in lost:
            (move.former.parent / JOURNAL).touch()  # _stage leaves the folder as it is
        raise InputError(
            f"{', '.join(str(move.target) for move in lost)} could not be restored after a failed write: the former "
            f"files are {', '.join(str(move.former) for move in lost)}."
        )
    for stage in stages.values():
        with suppress(OSError):
            os.unlink(stage / JOURNAL)


def _write_journal(stage: Path, moves: list[_Move], durable: bool) -> None:
    text = json.dumps([move.entry() for move in moves])
    draft = stage / "journal.draft"
    draft.write_text(text, encoding="utf-8")
    if durable:
        _sync(draft)
    if draft.read_text(encoding="utf-8") != text:
        raise ValueError("it reads back differently")
    os.replace(draft, stage / JOURNAL)
    if durable:
        _sync_folder(stage)


def _sync(path: Path) -> None:
    """Wait until a file is on the disk; OSError if it cannot be."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can do that."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


# --- folders of drafts ----------------------------------------------------------------------------------------------


@contextmanager
def _stage(folder: Path) -> Iterator[Path]:
    """A folder for drafts beside their targets, removed in the end; what dead processes left there is removed first."""
    stage = descriptor = None
    try:
        with locked(folder), deferred_signals():
            _sweep(folder)
            stage = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder))
            descriptor = try_lock(stage)
        yield stage
    finally:
        with deferred_signals():
            try:
                if stage is not None and not (stage / JOURNAL).exists():
                    _remove(stage)
            finally:
                if descriptor is not None:
                    os.close(descriptor)


def _remove(stage: Path) -> None:
    """Remove a folder of drafts, if it lets itself be removed; at the second try if something was in the way."""
    for _ in range(2):
        shutil.rmtree(stage, ignore_errors=True)
        if not stage.exists():
            return


def _sweep(folder: Path) -> None:
    """Remove the drafts of processes that were killed; undo moves that they had begun."""
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _remove_if_dead(folder, Path(entry.path))


def _remove_if_dead(folder: Path, stage: Path) -> None:
    about = os.lstat(stage)
    if hasattr(os, "geteuid") and about.st_uid != os.geteuid():
        return  # another user's, whose journal is not to be trusted
    descriptor = try_lock(stage)
    if descriptor is None and time.time() - about.st_mtime < STALE_SECONDS:
        return
    try:
        if _undone(folder, stage):
            _remove(stage)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _undone(folder: Path, stage: Path) -> bool:
    """Whether all moves of a dead process are undone, those in its journal."""
    try:
        moves = json.loads((stage / JOURNAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return not (stage / JOURNAL).exists()
    for move in moves:
        target, former = folder / Path(move["target"]).name, stage / Path(move["former"]).name
        if target.exists() and os.stat(target).st_ino == move["inode"]:  # moved, and not replaced since
            if former.exists():
                os.replace(former, target)
            else:
                os.unlink(target)
    return True
