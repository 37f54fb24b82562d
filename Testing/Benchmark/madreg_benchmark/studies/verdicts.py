"""How often is a pose that is far off called aligned?

Many poses of each case, most of them near the right one, are assessed.  The verdict, the estimated error and its bound
are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from madreg.image.transform import Transform
from madreg.quality.assessment import assess
from madreg.quality.quality import Quality
from madreg_benchmark.cases.misaligned import Misaligning
from madreg_benchmark.report.page import write_page
from madreg_benchmark.report.tables import markdown, write_csv
from madreg_benchmark.studies.other_poses import OtherPoses
from madreg_benchmark.studies.study import Setting, Study, collect

KINDS = {
    "right": (1, 1),
    "rigid": (25, 1),
    "stretched": (6, 1),
    "deformed": (2, 1),
    "registered": (1, 1),
    "far": (4, 1),
    "flipped": (1, 1),
}
"""Kinds of misalignment, how many of each a case gets, and every how manieth case gets them."""
QUICK_KINDS = {"right": (1, 1), "rigid": (1, 1)}
VERDICTS = ("aligned", "check", "failed")
RIGHT_MM = 1.0
NEVER_ALIGNED_MM, NEVER_CHECK_MM = 5.0, 20.0
RANGES_MM = (0.0, 1.0, 2.0, 3.0, NEVER_ALIGNED_MM, 10.0, NEVER_CHECK_MM, np.inf)
FIELDS = ("case", "contrast", "kind", "number", "true_mm", "estimate_mm", "bound_mm", "margin", "verdict")


def _misaligning(setting: Setting) -> Misaligning:
    return Misaligning(setting.cases, setting.seed, QUICK_KINDS if setting.quick else KINDS)


def measure_verdicts(setting: Setting) -> list[dict]:
    """One row a pose."""
    misaligning = _misaligning(setting)
    cases, others = {case.name: case for case in setting.cases}, OtherPoses(misaligning)

    def row(key: dict) -> dict:
        case = cases[key["case"]]
        made = misaligning.make(case, key["kind"], key["number"])
        comparison = others.of(case, key["kind"], made)
        quality = assess(made.pair, Transform(made.pose), comparison=comparison)
        return {"contrast": case.contrast, "true_mm": round(made.true_mm, 4), **said(quality)}

    return collect(setting, "verdicts", misaligning.keys(), row)


def said(quality: Quality | None) -> dict:
    """What is kept of an assessment."""
    if quality is None:
        return {"estimate_mm": None, "bound_mm": None, "margin": None, "verdict": "failed"}
    numbers = {"estimate_mm": quality.error_mm, "bound_mm": quality.bound_mm, "margin": quality.margin}
    return {
        **{
            name: round(value, 4) if value is not None and np.isfinite(value) else None
            for name, value in numbers.items()
        },
        "verdict": quality.verdict,
    }


def _counts(rows: Sequence[dict]) -> list[str]:
    """How many there are, and with which verdict."""
    return [str(len(rows)), *(str(sum(row["verdict"] == verdict for row in rows)) for verdict in VERDICTS)]


def range_table(rows: Sequence[dict]) -> str:
    """Verdicts by the true error."""
    lines = []
    for low, high in pairwise(RANGES_MM):
        some = [row for row in rows if low <= row["true_mm"] < high]
        lines.append([f"from {low:.0f}" + ("" if np.isinf(high) else f" to {high:.0f}"), *_counts(some)])
    return markdown(["true error, mm", "poses", *VERDICTS], lines)


def group_table(rows: Sequence[dict], fields: Sequence[str] = ("contrast", "kind")) -> str:
    """What must not be said, how many are within the bound, and how far off the estimate is, by what rows share."""
    lines = [_line("all", rows)]
    for field in fields:
        for value in dict.fromkeys(row[field] for row in rows):
            lines.append(_line(value, [row for row in rows if row[field] == value]))
    return markdown(
        ["", "poses", *VERDICTS, f"aligned beyond {NEVER_ALIGNED_MM:.0f} mm", f"check beyond {NEVER_CHECK_MM:.0f} mm",
         f"failed below {RIGHT_MM:.0f} mm", "within the bound",
         "estimate off by, mean mm"],
        lines,
    )  # fmt: skip


def _line(name: str, rows: Sequence[dict]) -> list[str]:
    by_verdict = {verdict: [row for row in rows if row["verdict"] == verdict] for verdict in VERDICTS}
    bounded = [row for row in rows if row["verdict"] != "failed" and row["bound_mm"] is not None]
    within = sum(row["true_mm"] <= row["bound_mm"] for row in bounded)
    return [
        name,
        *_counts(rows),
        str(sum(row["true_mm"] > NEVER_ALIGNED_MM for row in by_verdict["aligned"])),
        str(sum(row["true_mm"] > NEVER_CHECK_MM for row in by_verdict["check"])),
        str(sum(row["true_mm"] < RIGHT_MM for row in by_verdict["failed"])),
        f"{100 * within / len(bounded):.1f} %" if bounded else "",
        f"{np.mean([abs(row['estimate_mm'] - row['true_mm']) for row in bounded]):.2f}" if bounded else "",
    ]


def write_verdicts(rows: Sequence[dict], made_from: str, out: Path) -> str:
    """Write ``verdicts.csv`` (every pose) and ``verdicts.md`` into ``out``; return the tables."""
    write_csv(out / "verdicts.csv", FIELDS, [[row.get(name) for name in FIELDS] for row in rows])
    text = f"## By true error\n\n{range_table(rows)}\n## By pair and misalignment\n\n{group_table(rows)}"
    write_page(out / "verdicts.md", f"# Verdicts of many poses\n\n{text}\n{made_from}\n")
    return text


STUDY = Study("pose", lambda setting: len(_misaligning(setting).keys()), measure_verdicts, write_verdicts)
