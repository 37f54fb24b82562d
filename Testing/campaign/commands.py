"""Interrupts of the whole process, from its first instruction on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from . import children, outcomes
from .writes import Place, interrupted, state


def run(counts: outcomes.Counts, number: int, seed: int, place: Place, report_progress: Callable[[], None]) -> None:
    """Interrupt so many processes of ``madreg`` at a random time."""
    longest = 6.0
    for trial in counts.remaining("processes", number):
        rng = np.random.default_rng([seed, 6, trial])
        out, names, command = place.prepare(rng)
        sent = (signal.SIGINT, signal.SIGTERM)[trial % 2]
        began = time.monotonic()
        before = {path.name for path in out.iterdir()}
        process = subprocess.Popen(
            [sys.executable, "-m", "madreg", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        time.sleep(rng.uniform(0.05, longest))
        process.send_signal(sent)
        try:
            printed, hung = process.communicate(timeout=120), False
        except subprocess.TimeoutExpired:
            process.kill()
            printed, hung = process.communicate(), True
        seconds = time.monotonic() - began
        ending = children.Ending(process.returncode, hung, *printed, seconds)
        killed = ending.status == -sent and not ending.out + ending.err  # madreg's first line handles the signals
        early = killed or ("KeyboardInterrupt" in ending.err and f"{os.sep}madreg{os.sep}" not in ending.err)
        outcome = outcomes.EARLY if early else interrupted(ending, state(out, names, before))
        counts.add(
            f"process interrupted by {sent.name}",
            outcome,
            f"seed {seed} trial {trial}, {ending.brief()}",
            ("processes", trial),
        )
        report_progress()
