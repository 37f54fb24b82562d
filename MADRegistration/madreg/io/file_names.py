"""Names of files, checked before any work: what they may hold, and whether a file can be written there."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError

TRANSFORM_SUFFIXES = (".tfm", ".txt", ".h5", ".mat")
IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")
SCAN_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".mgz")
"""Endings of the files of a folder that are taken for scans."""

REPORT_SUFFIXES = (".json",)
PICTURE_SUFFIXES = (".png", ".jpg", ".pdf", ".svg")
PAGE_SUFFIXES = (".html", ".htm")


def check_output(path: str | Path, suffixes: Iterable[str], inputs: Iterable[str | Path] = ()) -> Path:
    """Make sure, before any work, that a file can be written.

    Args:
        suffixes: the endings that are known, with their dots.  Those of ITK have to be in lower case: ITK reads no
            ``.TFM``.
        inputs: files that are read and must not be overwritten.

    Raises:
        InputError: for another ending, a folder that is not there or does not take files, an input's own path, or a
            name that cannot be used.
    """
    path = Path(path)
    suffixes = tuple(suffixes)
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder: give the name of a file, such as {path / f'result{suffixes[0]}'}.")
    ending = next((one for one in suffixes if path.name.lower().endswith(one)), None)
    if ending is None:
        raise InputError(f"{path} has an unknown ending: choose one of {', '.join(suffixes)}.")
    if ending in (*TRANSFORM_SUFFIXES, *IMAGE_SUFFIXES) and not path.name.endswith(ending):
        raise InputError(f"{path} has an ending in capital letters, which ITK does not know: write it as {ending}.")
    if path.name.lower() in suffixes:
        raise InputError(f"{path} has no name before its ending: give one.")
    check_name(path)
    try:
        mode = _mode(path)
        if mode is not None and not stat.S_ISREG(mode):
            raise InputError(f"{path} is a device or a pipe: give the name of a file.")
        if any(_is_one_file(path, one) for one in inputs):
            raise InputError(f"{path} is an input and would be overwritten: choose another name.")
        folder = Path(os.path.realpath(path)).parent
        if not folder.is_dir():
            raise InputError(f"{path} cannot be written, since the folder {folder} does not exist: create it first.")
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): choose a name and a folder that you may write to."
        ) from error
    return path


def check_name(path: str | Path) -> None:
    """Refuse a name that the libraries that read and write images, which expect UTF-8, cannot pass on.

    Raises:
        InputError: if it is not UTF-8, or holds a character that no name may hold.
    """
    name = str(path)
    try:
        fits = name.encode("utf-8") == os.fsencode(name)
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise InputError(f"{path} has a name that is not UTF-8: rename it, or use a UTF-8 locale such as C.UTF-8.")
    if "\0" in name:
        raise InputError(f"{path} has a name with a zero byte: give another one.")


def _is_one_file(path: str | Path, other: str | Path) -> bool:
    """Whether two names are of one file: links, and names in other letters where the system takes them for one."""
    try:
        return os.path.samefile(path, other)
    except (FileNotFoundError, NotADirectoryError):
        return os.path.realpath(path) == os.path.realpath(other)


def _mode(path: Path) -> int | None:
    """What kind of file there is, following links; None if there is none.  OSError for a loop of links."""
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
