"""``python -m batch_trials``: measure a batch, with tasks that only sleep except where registrations are named.

kills: workers are killed at random while pairs are done; none is lost, none is recorded twice, all are as in serial.
registrations: the same with real registrations of tiny images, compared with those of ``madreg register``.
resume: time until a batch of many rows that is nearly done knows what remains, and its summary is written.
overhead: share of the time in which workers work, for 1 to 64 workers, as a table and a plot.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

from distributed import Client

from madreg.batch import cluster, manifest, run, summary, table
from madreg.batch.pair import Pair
from madreg.batch.work import Task, task_of

from . import registrations


def numbered(count: int, milliseconds: int) -> list[Pair]:
    return [Pair(f"pair{n:05d}", f"fixed{n}.nii.gz", f"moving{n}.nii.gz", seed=milliseconds) for n in range(count)]


def sleep(task: Task) -> manifest.Entry:
    """Take as many milliseconds as the seed says; the entry depends on the task alone."""
    time.sleep(task["pair"]["seed"] / 1000)
    values = {key: task["pair"][key] for key in ("id", "fixed", "moving")}
    number = int(task["fingerprint"][:6], 16)
    return {**values, "fingerprint": task["fingerprint"], "state": "done", "error_after_mm": number / 1e6}


# --- kills ----------------------------------------------------------------------------------------------------------


def kills(pairs: int, number: int, workers: int, milliseconds: int, seed: int = 0) -> dict[str, object]:
    """Kill workers at random while pairs are done, and compare with what they give one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        tasks = [task_of(pair, out, out, 1) for pair in numbered(pairs, milliseconds)]
        serial = {task["pair"]["id"]: sleep({**task, "pair": {**task["pair"], "seed": 0}}) for task in tasks}
        start = time.monotonic()
        rounds, killed = 0, 0
        share = cluster.Share(workers, 1)
        with cluster.local(share) as client, manifest.opened(out) as record:
            killer = _Killer(client, number, pairs, seed, record)
            killer.start()
            while rounds < 3:  # a pair that was running at two kills is marked; --retry-failed does it again
                done = record.entries
                left = [task for task in tasks if done.get(task["pair"]["id"], {}).get("state") != "done"]
                if not left:
                    break
                watch = partial(_watch, client, share)
                run.Dispatcher(client, record.add, sleep, watch, patience=300.0).run(left)
                rounds += 1
            killer.enough.set()
            killer.join()
            killed = killer.killed
        lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
        added = ("attempts", "worker", "finished")
        results = [{k: v for k, v in line.items() if k not in added} for line in lines if line["state"] == "done"]
        twice = [name for name, times in Counter(one["id"] for one in results).items() if times > 1]
        return {
            "pairs": pairs,
            "killed": killed,
            "lost": pairs - len({one["id"] for one in results}),
            "twice": len(twice),
            "different": sum(one != serial[one["id"]] for one in results),
            "tried again": sum(line.get("attempts") == 2 for line in lines),
            "marked, then done with --retry-failed": sum(line["state"] == "killed" for line in lines),
            "seconds": round(time.monotonic() - start, 1),
        }


def _watch(client: Client, share: cluster.Share, number: int) -> None:
    if number < share.workers:
        cluster.replenish(client, share)


class _Killer(threading.Thread):
    """Kills a random worker at each of so many random numbers of pairs done."""

    def __init__(self, client, number: int, pairs: int, seed: int, record: manifest.Manifest) -> None:
        super().__init__(daemon=True)
        self.client, self.record, self.killed, self.enough = client, record, 0, threading.Event()
        self.random = random.Random(seed)
        self.moments = sorted(self.random.sample(range(1, max(pairs - 5, number + 1)), number))

    def run(self) -> None:
        for moment in self.moments:
            while len(self.record.entries) < moment and not self.enough.is_set():
                time.sleep(0.01)
            while not self.enough.is_set():
                pids = list(self.client.run(os.getpid, on_error="ignore").values())
                if pids:
                    os.kill(self.random.choice(pids), signal.SIGKILL)
                    self.killed += 1
                    break
                time.sleep(0.2)


# --- resume ---------------------------------------------------------------------------------------------------------


def resume(rows: int) -> dict[str, object]:
    """Time to read a table and a manifest of so many rows, to see what remains, and to write the summary."""
    with tempfile.TemporaryDirectory() as folder:
        out, source = Path(folder) / "out", Path(folder) / "table.csv"
        out.mkdir()
        lines = ["fixed,moving", *(f"scans/{n}/T1w.nii.gz,scans/{n}/ct.nii.gz" for n in range(rows))]
        source.write_text("\n".join(lines) + "\n")
        pairs = table.read_table(source)
        with manifest.opened(out) as record:
            for pair in pairs[:-10]:
                record.add(sleep(task_of(pair, out, out, 1) | {"pair": {**vars(pair), "seed": 0}}))
        start = time.monotonic()
        pairs = table.read_table(source)
        with manifest.opened(out) as record:
            remaining = record.remaining(pairs)
            remaining = [pair for pair in remaining if manifest.result_of(pair, out) is None]
        known = time.monotonic() - start
        summary.write(out, record.entries.values())
        return {
            "rows": rows,
            "remaining": len(remaining),
            "seconds until it goes on": round(known, 2),
            "seconds for the summary": round(time.monotonic() - start - known, 2),
        }


# --- overhead -------------------------------------------------------------------------------------------------------


def overhead(folder: Path, numbers: list[int], milliseconds: int, each: int) -> list[dict[str, object]]:
    """Share of the workers' time that is spent in tasks, which only sleep; a CSV file and a plot go into ``folder``."""
    import dask
    import distributed

    rows: list[dict[str, object]] = []
    for workers in numbers:
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
            start, before = time.monotonic(), time.process_time()
            run.Dispatcher(client, entries.append, sleep).run(tasks)
            seconds, busy = time.monotonic() - start, time.process_time() - before
        assert len(entries) == len(tasks)
        rows.append(
            {
                "workers": workers,
                "pairs": len(tasks),
                "seconds": round(seconds, 2),
                "efficiency": round(each * milliseconds / 1000 / seconds, 4),
                "processor_ms_per_pair": round(1000 * busy / len(tasks), 2),
            }
        )
        print(rows[-1], flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "overhead.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    _plot(rows, folder / "overhead.png", milliseconds)
    return rows


def _plot(rows: list[dict[str, object]], path: Path, milliseconds: int) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 3.4), layout="constrained")
    axes = figure.add_subplot(xscale="log", xlabel="workers", ylabel="efficiency", ylim=(0, 1.05))
    axes.plot([row["workers"] for row in rows], [row["efficiency"] for row in rows], "o-")
    axes.axhline(0.9, color="0.6", linewidth=1, linestyle="--")
    axes.set_xticks([row["workers"] for row in rows], [str(row["workers"]) for row in rows])
    axes.set_title(f"tasks that sleep {milliseconds / 1000:g} s", fontsize=10)
    figure.savefig(path, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m batch_trials", description=__doc__)
    parser.add_argument("trial", choices=("kills", "registrations", "resume", "overhead"))
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--milliseconds", type=int, default=100)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=6, help="pairs a worker of the overhead")
    parser.add_argument("--numbers", default="1,2,4,8,16,32,64", help="of workers of the overhead")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("docs/batch"),
        help="folder of the overhead's table and plot, or of the registrations",
    )
    parser.add_argument("--seconds", type=float, default=1200.0, help="for the batch of registrations")
    args = parser.parse_args()
    if args.trial == "resume":
        print(json.dumps(resume(args.rows)))
        return 0
    if args.trial == "overhead":
        overhead(args.out, [int(word) for word in args.numbers.split(",")], args.milliseconds, args.each)
        return 0
    if args.trial == "registrations":
        found = registrations.trial(args.out, args.pairs, args.kills, args.seconds)
        print(json.dumps(found))
        return int(bool(found["twice"] or found["without files"] or found["different"]))
    found = kills(args.pairs, args.kills, args.workers, args.milliseconds)
    print(json.dumps(found))
    return int(bool(found["lost"] or found["twice"] or found["different"]))


if __name__ == "__main__":
    sys.exit(main())
