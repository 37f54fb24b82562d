"""Files that are written whole or not at all, several at a time.

Drafts are written into a folder beside their targets, synced and read back.  Then, with signals held back, the former
files are kept aside, the drafts are moved into place, and the former files are given up.  If anything fails, the
former files are put back.  If this process is killed, the next run does so, from a journal in the folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .drafts import folder_of_drafts
from .journal import JOURNAL, write_journal
from .locks import locked
from .replacement import Replacement
from .signals import deferred_signals
from .stderr import suppressed
from .sync import sync_file, sync_folder


@dataclass(frozen=True)
class Content:
    """What goes into a file.

    Attributes:
        write: writes it to the path that it is given; may raise OSError, RuntimeError or ValueError.
        check: reads it back from there, and raises one of these unless it is what was to be written.
    """

    write: Callable[[Path], object]
    check: Callable[[Path], object]


def bytes_content(data: bytes) -> Content:
    """Some bytes as the content of a file."""

    def check(path: Path) -> None:
        if path.read_bytes() != data:
            raise ValueError("it reads back differently")

    return Content(lambda path: path.write_bytes(data), check)


def write_file(path: Path, content: Content) -> None:
    """Write one file whole or not at all: :func:`write_all`."""
    write_all({Path(path): content})


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
        drafts_in: dict[Path, Path] = {}
        replacements: dict[Path, Replacement] = {}
        for number, (target, content) in enumerate(contents.items()):
            real = targets[target]
            with _reported(target):
                if real.parent not in drafts_in:
                    drafts_in[real.parent] = stack.enter_context(folder_of_drafts(real.parent))
                drafts = drafts_in[real.parent]
                replacement = Replacement(real, drafts / f"{number}{_ending(real)}", drafts / f"{number}.former")
                _write_draft(content, replacement.draft, durable)
            replacements[target] = replacement
        _replace(replacements, drafts_in, durable)


def _write_draft(content: Content, draft: Path, durable: bool) -> None:
    """Write a draft and read it back."""
    with suppressed():  # HDF5 prints pages about a full disk
        content.write(draft)
    if durable:
        sync_file(draft)
    with suppressed():
        content.check(draft)


def _replace(replacements: Mapping[Path, Replacement], drafts_in: Mapping[Path, Path], durable: bool) -> None:
    """Move all drafts to their targets, or none.

    Args:
        replacements: of each target.
        drafts_in: the folder of drafts in each folder.
    """
    with ExitStack() as stack:
        for folder in sorted(drafts_in):  # in one order, so that two runs do not wait for each other
            with _reported(folder / "*"):
                stack.enter_context(locked(folder))
        stack.enter_context(deferred_signals())
        try:
            for target, one in replacements.items():
                with _reported(target):
                    one.keep_former()
            for folder, drafts in drafts_in.items():
                with _reported(folder / JOURNAL):
                    here = [one for one in replacements.values() if one.target.parent == folder]
                    write_journal(drafts, here, durable)
            for target, one in replacements.items():
                with _reported(target):
                    one.make()
            for folder, drafts in drafts_in.items():
                with _reported(folder / "*"):
                    if durable:
                        sync_folder(folder)
                    os.unlink(drafts / JOURNAL)
        except BaseException:
            _put_back(list(replacements.values()), list(drafts_in.values()))
            raise


def _put_back(replacements: list[Replacement], folders_of_drafts: list[Path]) -> None:
    """Undo the replacements that were made.

    Raises:
        InputError: if that is not possible; then the former files stay where the message says.
    """
    lost = []
    for one in replacements:
        try:
            one.undo()
        except OSError:
            lost.append(one)
    if lost:
        for one in lost:
            (one.former.parent / JOURNAL).touch()  # so that the folder of drafts stays
        raise InputError(
            f"{', '.join(str(one.target) for one in lost)} could not be restored after a failed write: the former "
            f"files are {', '.join(str(one.former) for one in lost)}."
        )
    for drafts in folders_of_drafts:
        with suppress(OSError):
            os.unlink(drafts / JOURNAL)


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
