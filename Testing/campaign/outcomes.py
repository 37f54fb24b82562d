"""How trials end, counted, and the table of them."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

REFUSED = "refused in one sentence"
INTACT = "read intact"
NOTICED = "read with a notice"
UNDETECTABLE = "read, as the format has no checksum for what was changed"
WRITTEN = "all files new and complete"
UNCHANGED = "refused in one sentence, all former files as they were"
STOPPED = "stopped in one sentence, all files old or all new"
EARLY = "stopped by Python itself, before the first line of madreg"
UNDONE = "killed; the next run found or restored a complete set"
ANSWERED = "one error, and the worker goes on"
CANCELLED = "gone at once, nothing left"
DONE = "done"

TAKEN = "DAMAGED FILE TAKEN"
TRACEBACK = "TRACEBACK"
SIGNAL = "SIGNAL"
HANG = "HANG"
LOST = "FILES LOST OR MIXED"
LEFT_OVER = "DRAFTS LEFT"
FALSE_SUCCESS = "FALSE SUCCESS"
STRANGE = "OTHER STATUS OR TEXT"

BAD = (TAKEN, TRACEBACK, SIGNAL, HANG, LOST, LEFT_OVER, FALSE_SUCCESS, STRANGE)


@dataclass
class Counts:
    """The outcomes of a campaign by kind of fault, and how to repeat the bad ones."""

    counts: Counter = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)
    seed: int = 0
    journal: Path | None = None
    done: set[tuple[str, int]] = field(default_factory=set)

    @classmethod
    def resumed(cls, journal: Path, seed: int) -> Counts:
        """What a file of JSON lines says was done; trials of steps are added to it as they end.

        Trials that ended badly are not taken over, and so are tried again.
        """
        counts = cls(seed=seed, journal=journal)
        rows = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
        for row in rows:
            if row["seed"] != seed:
                raise ValueError(f"{journal} is of seed {row['seed']}")
        sound = {(row["step"], row["trial"]): row for row in rows if row["outcome"] not in BAD}
        lines = [json.dumps(row) + "\n" for row in sound.values()]
        journal.write_text("".join(lines))
        for row in sound.values():
            counts.counts[row["kind"], row["outcome"]] += 1
        counts.done = set(sound)
        return counts

    def remaining(self, step: str, number: int) -> Iterator[int]:
        """The trials of a step, 0 to ``number`` - 1, that have not been done."""
        return (trial for trial in range(number) if (step, trial) not in self.done)

    def add(self, kind: str, outcome: str, detail: str = "", of: tuple[str, int] | None = None) -> None:
        """Count an outcome; ``of`` is the step and the trial under which the journal has it."""
        self.counts[kind, outcome] += 1
        if outcome in BAD:
            self.bad.append(f"{kind}: {outcome}: {detail}")
            print(self.bad[-1], file=sys.stderr, flush=True)
        if of and self.journal:
            row = {"step": of[0], "trial": of[1], "seed": self.seed, "kind": kind, "outcome": outcome, "detail": detail}
            with self.journal.open("a") as file:
                file.write(json.dumps(row) + "\n")

    def total(self, outcome: str) -> int:
        return sum(count for (_, one), count in self.counts.items() if one == outcome)

    def table(self) -> str:
        """As Markdown: a line for each fault, all damage to a format being one, with its outcomes."""
        faults: dict[str, Counter] = {}
        for (kind, outcome), count in self.counts.items():
            fault = kind if kind.startswith(("worker", "writing")) else kind.partition(":")[0]
            faults.setdefault(fault, Counter())[outcome] += count
        lines = ["| fault | trials | outcomes |", "|---|---:|---|"]
        for fault, found in sorted(faults.items()):
            outcomes = "; ".join(f"{count} {outcome}" for outcome, count in found.most_common())
            lines.append(f"| {fault} | {found.total()} | {outcomes} |")
        lines += ["", f"{sum(self.counts.values())} trials, {len(self.bad)} that must not be."]
        return "\n".join(lines) + "\n"
