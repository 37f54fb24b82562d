"""The command ``madreg``: picks the sub-command, and ends in one sentence when something cannot be done."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from . import __version__
from .errors import InputError

COMMANDS = {
    "register": "find the transform between two scans and write it",
    "demo": "register the bundled pair of scans from far apart",
    "evaluate": "measure how well registration works on pairs with known alignment",
    "train": "train the network of the Modality Agnostic Distance",
}
"""Every sub-command, a module of ``madreg.commands`` that is imported only when it is called."""

FAILED, MISUSED, STOPPED = 1, 2, 130


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one sentence, without the usage in front of it."""

    def error(self, message: str) -> NoReturn:
        self.exit(MISUSED, f"{message[0].upper()}{message[1:].rstrip('.')}: see {self.prog} --help.\n")


def _parser(called: str | None) -> argparse.ArgumentParser:
    """The parser, with the options of the one sub-command that is called."""
    parser = _Parser("madreg", description="Register two 3D scans of any contrast, from any pose.")
    parser.add_argument("--version", action="version", version=f"madreg {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name == called:
            module = importlib.import_module(f".commands.{name}", __package__)
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; ``arguments`` are those after ``madreg``.

    Returns:
        0, or an exit status after one sentence on stderr.  Only a defect of the program shows a traceback.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    called = next((word for word in arguments if not word.startswith("-")), None)
    try:
        args = _parser(called).parse_args(arguments)
        return args.run(args)
    except InputError as error:
        print(error, file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("Stopped: what was not complete was not written.", file=sys.stderr)
        return STOPPED
    except SystemExit as end:  # argparse: --help, or a complaint that is printed already
        return end.code
    except (MemoryError, RuntimeError) as error:
        from .worker import is_memory_error

        if not is_memory_error(error):
            raise
        print("There is not enough memory: close other programs, or give smaller images.", file=sys.stderr)
        return FAILED
