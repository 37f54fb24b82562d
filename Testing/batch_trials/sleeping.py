"""Tasks that only sleep."""

from __future__ import annotations

import time

from madreg.batch import manifest
from madreg.batch.pair import Pair
from madreg.batch.work import Task


def numbered(count: int, milliseconds: int) -> list[Pair]:
    return [Pair(f"pair{n:05d}", f"fixed{n}.nii.gz", f"moving{n}.nii.gz", seed=milliseconds) for n in range(count)]


def sleep(task: Task) -> manifest.Entry:
    """Take as many milliseconds as the seed says; the entry depends on the task alone."""
    time.sleep(task["pair"]["seed"] / 1000)
    values = {key: task["pair"][key] for key in ("id", "fixed", "moving")}
    number = int(task["fingerprint"][:6], 16)
    return {**values, "fingerprint": task["fingerprint"], "state": "done", "error_after_mm": number / 1e6}
