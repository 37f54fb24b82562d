"""The command line: ``madreg COMMAND …``.

Errors are one sentence on stderr and an exit status that is not 0: 1 for input that cannot be used, 2 for a command
line that cannot be understood, 3 for a registration that failed, 130 after an interrupt.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from types import FrameType
from typing import NoReturn

from .. import __version__
from ..errors import InputError, is_memory_error
from ..system.signals import STOPPING
from ..system.stderr import allow_suppression
from .messages import STOPPED, printable

COMMANDS = {
    "register": "align a moving image to a fixed one",
    "assess": "estimate the error of an existing alignment",
    "batch": "register all pairs of a table or of a BIDS data set",
    "commission": "measure the accuracy on phantoms made out of your own scans",
    "demo": "register the bundled pair from a large displacement and draw the result",
    "train": "train a network of MAD on folders of scans",
}


MAY_BE_EMPTY = ("--match",)
"""Options that say themselves why an empty value is of no use."""


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, printable(f"{self.prog}: {message} (see {self.prog} --help).") + "\n")


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    """The parser; only the chosen command's module is imported, so that help is there at once."""
    parser = _Parser(
        prog="madreg",
        description="Register 3D scans of any contrast, from any pose, with the Modality Agnostic Distance (MAD).",
    )
    parser.add_argument("--version", action="version", version=f"madreg {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == chosen:
            module = import_module(f"{__package__}.{name}")
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return parser


class _Interrupts:
    """SIGINT, SIGTERM and SIGHUP as KeyboardInterrupt, and whether one has come."""

    def __init__(self) -> None:
        self.came = False

    def handle(self, _: int, __: FrameType | None) -> None:
        self.came = True
        raise KeyboardInterrupt

    @contextmanager
    def handled(self, restore: bool) -> Iterator[None]:
        """Handle them while the block runs; afterwards restore what was before, or ignore them."""
        if threading.current_thread() is not threading.main_thread():  # signals reach the main thread only
            yield
            return
        before = {}
        for number in STOPPING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as of a job in the background, or under nohup
                before[number] = signal.signal(number, self.handle)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler if restore else signal.SIG_IGN)


def main(arguments: Sequence[str] | None = None, restore: bool = True) -> int:
    """Run the command line.

    Args:
        arguments: the words after ``madreg``; those of the process if None.
        restore: whether to restore the handlers of signals; otherwise they are ignored from then on, since the
            process is about to end.

    Returns:
        The exit status.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if (name := _empty_argument(arguments)) is not None:
        return _fail(f"madreg: {name} is empty: give a value, or leave it out.", 2)
    interrupts = _Interrupts()
    try:
        with interrupts.handled(restore), allow_suppression():
            args = _parser(next((word for word in arguments if not word.startswith("-")), None)).parse_args(arguments)
            _check_current_folder()
            status = args.run(args)
            sys.stdout.flush()
            return status
    except KeyboardInterrupt:
        return _fail(STOPPED, 130)
    except Exception as error:
        if interrupts.came:  # what was interrupted may have made another error of it
            return _fail(STOPPED, 130)
        if isinstance(error, InputError):
            return _fail(str(error), 1)
        if isinstance(error, BrokenPipeError):  # whoever read our output, such as head, has left
            _discard_output()
            return 1
        if isinstance(error, OSError) and _is_output_error(error):
            _discard_output()
            return _fail(f"The results cannot be printed ({error.strerror}): the files are complete.", 1)
        if isinstance(error, PermissionError):
            return _fail(f"{error.filename} cannot be opened ({error.strerror}): check your rights to it.", 1)
        if is_memory_error(error):
            return _fail(
                "The memory of this computer does not suffice: close other programs, or give smaller images.", 1
            )
        raise


def _empty_argument(arguments: Sequence[str]) -> str | None:
    """What a word without letters stands for, such as a variable of the shell that is not set; None if there is none.

    As a path it would be the current folder.
    """
    for former, word in zip(["", *arguments], arguments, strict=False):
        if word.startswith("--") and word.endswith("=") and word[:-1] not in MAY_BE_EMPTY:
            return f"the value of {word[:-1]}"
        if not word.strip() and former not in MAY_BE_EMPTY:
            return f"the value of {former}" if former.startswith("--") else "an argument"
    return None


def _check_current_folder() -> None:
    """Refuse to work where there is no folder, in which torch ends the process."""
    try:
        os.getcwd()
    except OSError as error:
        raise InputError("The current folder does not exist any more: change to another one.") from error


def _fail(message: str, status: int) -> int:
    """Print one line on stderr, if it takes it; returns the status."""
    with suppress(OSError, ValueError):
        print(printable(message), file=sys.stderr, flush=True)
    return status


def _is_output_error(error: OSError) -> bool:
    """Whether an error comes from printing rather than from a file, whose name it would have."""
    return error.filename is None


def _discard_output() -> None:
    """Print nothing more on stdout: what is left there cannot be written either."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.close()
