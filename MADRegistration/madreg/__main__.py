"""``python -m madreg`` is ``madreg``: the start of the process."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

from .commands.messages import STOPPED
from .system.signals import STOPPING


def _stop_at_once(*_: object) -> NoReturn:
    os.write(2, f"{STOPPED}\n".encode())
    os._exit(130)


def stop_at_once_on_signals() -> None:
    """Have SIGINT, SIGTERM and SIGHUP end the process with one sentence, until the command line handles them itself."""
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop_at_once)


def command() -> NoReturn:
    """What ``madreg`` runs: the command line, and the process ends with its status."""
    stop_at_once_on_signals()
    from .system import process

    process.prepare()
    from .commands.main import main

    process.leave(main(restore=False))


if __name__ == "__main__":
    command()
