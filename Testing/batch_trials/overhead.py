"""How much of the workers' time a batch uses, for tasks that only sleep."""

from __future__ import annotations

import csv
import tempfile
import time
from pathlib import Path

import dask
import distributed
from matplotlib.figure import Figure

from madreg.batch import run
from madreg.batch.work import task_of

from .sleeping import numbered, sleep


def overhead(folder: Path, numbers: list[int], times: list[int], each: int) -> None:
    """Write ``overhead.csv`` and ``overhead.png`` into a folder: the efficiency is the share of the time in tasks.

    Args:
        numbers: of workers.
        times: of a task, milliseconds.
        each: tasks a worker.
    """
    rows = [_measured(number, milliseconds, each) for milliseconds in times for number in numbers]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "overhead.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    _plot(rows, folder / "overhead.png")


def _measured(workers: int, milliseconds: int, each: int) -> dict[str, float]:
    # threads of one process would be one worker: these are workers without processes of their own
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "120s"}),
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=None, silence_logs=50
        ) as local,
        distributed.Client(local) as client,
    ):
        client.wait_for_workers(workers)
        out, entries = Path(tempfile.gettempdir()), []
        tasks = [task_of(pair, out, out, 1) for pair in numbered(workers * each, milliseconds)]
        start = time.monotonic()
        run.Dispatcher(client, entries.append, sleep).run(tasks)
        seconds = time.monotonic() - start
    assert len(entries) == len(tasks)
    row = {
        "task_seconds": milliseconds / 1000,
        "workers": workers,
        "tasks": len(tasks),
        "seconds": round(seconds, 2),
        "efficiency": round(each * milliseconds / 1000 / seconds, 4),
    }
    print(row, flush=True)
    return row


def _plot(rows: list[dict[str, float]], path: Path) -> None:
    figure = Figure(figsize=(5.5, 3.4), layout="constrained")
    axes = figure.add_subplot(xscale="log", xlabel="workers", ylabel="efficiency", ylim=(0, 1.05))
    for seconds in sorted({row["task_seconds"] for row in rows}):
        alike = [row for row in rows if row["task_seconds"] == seconds]
        numbers = [row["workers"] for row in alike]
        axes.plot(numbers, [row["efficiency"] for row in alike], "o-", label=f"tasks of {seconds:g} s")
        axes.set_xticks(numbers, map(str, numbers))
    axes.minorticks_off()
    axes.axhline(0.9, color="0.6", linewidth=1, linestyle="--")
    axes.legend(loc="lower left")
    figure.savefig(path, dpi=110)
