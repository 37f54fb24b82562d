"""Which volume of a DICOM folder is read, asked for on a terminal."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from .messages import printable

if TYPE_CHECKING:
    from ..io.dicom.reading import Candidate


def choose_volumes(args: argparse.Namespace) -> None:
    """Replace the fixed and the moving image of a command by what the user chooses, unless it is to be quiet."""
    if not args.quiet:
        args.fixed, args.moving = chosen_volume(args.fixed), chosen_volume(args.moving)


def chosen_volume(path: str) -> str:
    """``FOLDER:NUMBER`` as the user answers, if a folder holds several volumes; otherwise the path.

    Nothing is asked where stdin or stderr is no terminal, or where the folder cannot be read, which its reader reports.
    """
    if not (sys.stdin and sys.stderr and sys.stdin.isatty() and sys.stderr.isatty() and os.path.isdir(path)):
        return path
    from ..io.dicom.reading import largest_of

    offered = _offered(path)
    if len(offered) < 2:
        return path
    largest = largest_of(offered).number
    print(printable(f"{path} holds {len(offered)} volumes:"), file=sys.stderr)
    for one in offered:
        print(printable(f"{one.number:>3}: {one.words}"), file=sys.stderr)
    number = _answer([one.number for one in offered], largest)
    return path if number is None else f"{path}:{number}"


def _offered(path: str) -> list[Candidate]:
    """The volumes of a folder that can be read."""
    from ..io.dicom.reading import list_volumes
    from ..io.unreadable import UnreadableError

    try:
        return [one for one in list_volumes(path) if one.usable]
    except (UnreadableError, OSError):
        return []


def _answer(numbers: list[int], largest: int) -> int | None:
    """The number of a volume, asked for until it is one of those; None at the end of the input."""
    while True:
        print(f"Number of the volume to read (Enter: {largest}, the largest): ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            print(file=sys.stderr)
            return None
        text = line.strip() or str(largest)
        if text.isdecimal() and int(text) in numbers:
            return int(text)
