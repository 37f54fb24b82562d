"""How trials end, counted, and the table of them."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field

REFUSED = "refused in one sentence"
INTACT = "read, and what was read is intact"
NOTICED = "read otherwise, with a notice"
UNDETECTABLE = "read; the format has no checksum for what was changed"
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

    def add(self, kind: str, outcome: str, detail: str = "") -> None:
        self.counts[kind, outcome] += 1
        if outcome in BAD:
            self.bad.append(f"{kind}: {outcome}: {detail}")
            print(self.bad[-1], file=sys.stderr, flush=True)

    def total(self, outcome: str) -> int:
        return sum(count for (_, one), count in self.counts.items() if one == outcome)

    def table(self) -> str:
        """As Markdown: a line for each kind and outcome."""
        lines = ["| fault | outcome | trials |", "|---|---|---:|"]
        lines += [f"| {kind} | {outcome} | {count} |" for (kind, outcome), count in sorted(self.counts.items())]
        lines += ["", f"{sum(self.counts.values())} trials, {len(self.bad)} that must not be."]
        return "\n".join(lines) + "\n"
