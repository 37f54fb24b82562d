"""The command line: ``madreg COMMAND …``.

Errors are one sentence on stderr and an exit status that is not 0: 1 for input that cannot be used, 2 for a command
line that cannot be understood, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import NoReturn

from .. import __version__
from ..errors import InputError
from ..system.priority import leave, let_others_work

COMMANDS = {
    "register": "align a moving image to a fixed one",
    "demo": "register the bundled pair from a large displacement and draw the result",
    "train": "train the distance network on a folder of scans",
}


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help).\n")


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    """The parser; only the chosen command's module is imported, so that help is there at once."""
    parser = _Parser(
        prog="madreg",
        description="Register 3D scans of any contrast, from any pose, with the Modality Agnostic Distance (MAD).",
    )
    parser.add_argument("--version", action="version", version=f"madreg {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        if find_spec(f"{__package__}.{name}") is None:
            continue
        sub = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == chosen:
            module = import_module(f"{__package__}.{name}")
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after ``madreg``; those of the process if None.

    Returns:
        The exit status.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    let_others_work()
    before = _stop_on_terminate()
    try:
        args = _parser(next((word for word in arguments if not word.startswith("-")), None)).parse_args(arguments)
        return args.run(args)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped before the end: no file was half-written.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read our output, such as head, has left
        sys.stderr.close()
        return 1
    except (MemoryError, RuntimeError) as error:
        from .worker import is_memory_error

        if not is_memory_error(error):
            raise
        print(
            "The memory of this computer does not suffice: close other programs, or give smaller images.",
            file=sys.stderr,
        )
        return 1
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _stop_on_terminate():  # -> the former handler, or None where there is nothing to put back
    """Let a polite kill (SIGTERM) clean up like Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        return None
    return signal.signal(signal.SIGTERM, signal.default_int_handler)


def command() -> NoReturn:
    """What ``madreg`` runs: :func:`main`, and the process ends with its status."""
    leave(main())


if __name__ == "__main__":
    command()
