"""One method on one pair in a process of its own, which :mod:`madreg_benchmark.running.trial` starts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from madreg.system import process
from madreg_benchmark.methods.method import Options
from madreg_benchmark.methods.registry import METHODS
from madreg_benchmark.running.trial import peak_memory_mb


def main(method: str, fixed: str, moving: str, affine: str, seed: str, device: str, answer: str) -> None:
    """Write matrix, details and peak memory to the file ``answer``; an exception ends the process."""
    process.prepare()
    outcome = METHODS[method].run(Path(fixed), Path(moving), affine == "1", Options(int(seed), device))
    said = {"matrix": outcome.matrix.tolist(), "details": outcome.details, "memory_mb": peak_memory_mb()}
    Path(answer).write_text(json.dumps(said), encoding="utf-8")
    process.leave(0)  # as the command does


if __name__ == "__main__":
    main(*sys.argv[1:])
