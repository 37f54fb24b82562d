"""``python -m batch_trials``: measure a batch, with tasks that only sleep except where registrations are named.

kills: workers are killed at random while pairs are done; none is lost, none is recorded twice, all are as in serial.
registrations: the same with real registrations of tiny images, compared with those of ``madreg register``.
resume: time until a batch of many rows that is nearly done knows what remains, and its summary is written.
overhead: share of the time in which workers work, for 1 to 64 workers, as a table and a plot.
"""

from __future__ import annotations

import argparse
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
from madreg.batch.work import task_of

from . import registrations
from .overhead import overhead
from .sleeping import numbered, sleep

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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m batch_trials", description=__doc__)
    parser.add_argument("trial", choices=("kills", "registrations", "resume", "overhead"))
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--milliseconds", type=int, default=100)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--times", default="2000,10000", help="milliseconds of tasks of the overhead")
    parser.add_argument("--each", type=int, default=4, help="tasks a worker of the overhead")
    parser.add_argument("--numbers", default="1,2,4,8,16,32,64", help="of workers of the overhead")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("overhead"),
        help="folder of the overhead's table and plot, or of the registrations",
    )
    parser.add_argument("--seconds", type=float, default=1200.0, help="for the batch of registrations")
    args = parser.parse_args()
    if args.trial == "resume":
        print(json.dumps(resume(args.rows)))
        return 0
    if args.trial == "overhead":
        numbers, times = ([int(word) for word in text.split(",")] for text in (args.numbers, args.times))
        overhead(args.out, numbers, times, args.each)
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
