"""The page to keep of a commissioning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ..system.lengths import millimeters
from .document import document, facts, table, text
from .page import DISCLAIMER, made_with

CHANGES = {"rigid": "displaced", "affine": "displaced and stretched", "deformed": "displaced and deformed"}
CONTRASTS = {"same": "same contrast", "other": "other contrast"}
METHOD = (
    "Phantoms were made out of each scan: displaced by a known rotation and translation, some of them stretched or "
    "deformed as well, in the contrast of the scan or in a random one, with blur, shading and noise. Each was "
    "registered to its scan. The whole error is the mean distance from the known place over the body. The error is "
    "what of it is beyond the best transform of its type; the two differ for deformed phantoms. The bound is what the "
    "software says the whole error is at most, in 95 % of cases. Each phantom was also misaligned on purpose, and that "
    'pose was assessed. An assessment without a bound counts as within it, unless its verdict is "aligned".'
)
LIMIT = (
    "Phantoms come from the same scan as what they are registered to: two examinations of a patient differ in more. A "
    "commissioning shows what the software does with scans like these under known conditions."
)
HEAD = [
    "Phantom",
    "Error",
    "Estimated",
    "Whole error",
    "Bound",
    "Verdict",
    "Passed",
    "Misaligned by",
    "Estimated",
    "Bound",
    "Verdict",
]


def page(report: Mapping[str, Any], now: datetime | None = None) -> str:
    """The page as HTML.

    Args:
        report: of :class:`~madreg.commissioning.commission.Commissioning`.
        now: the time of writing.
    """
    title = "Commissioning of MADRegistration"
    word, kind = ("Passed", "aligned") if report["passed"] else ("Not passed", "failed")
    parts = [
        f"<h1>{text(title)}</h1>",
        f'<p><span class="verdict {kind}">{word}</span>{text(_meaning(report))}</p>',
        facts(_numbers(report)),
        f"<p>{text(METHOD)}</p>",
        f"<p>{text(LIMIT)} {text(DISCLAIMER)}</p>",
    ]
    for scan in report["scans"]:
        parts += [f"<h2>{text(Path(scan['name']).name)}</h2>", table(HEAD, map(_row, scan["trials"]))]
        parts += [f"<p>{text(notice)}</p>" for notice in scan["notices"]]
    parts += ["<h2>Record</h2>", facts(_record(report, now or datetime.now().astimezone()), "record")]
    return document(title, "\n".join(parts))


def _meaning(report: Mapping[str, Any]) -> str:
    if report["passed"]:
        return "All registrations are within the tolerance, and the bounds hold."
    if report["registrations_passed"] < report["registrations"]:
        return "Some registrations are off by more than the tolerance: look at the tables."
    return "Fewer errors are within their bounds than claimed: look at the tables."


def _numbers(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    trials = [trial for scan in report["scans"] for trial in scan["trials"]]
    yield "Tolerance", _mm(report["tolerance_mm"])
    yield "Registrations within it", f"{report['registrations_passed']} of {report['registrations']}"
    yield "Error on average", _mm(sum(trial["error_mm"] for trial in trials) / len(trials))
    yield "Largest error", _mm(max(trial["error_mm"] for trial in trials))
    yield "Assessments within their bound", f"{100 * report['claims_held']:.0f} % of {2 * len(trials)}"


def _row(trial: Mapping[str, Any]) -> list[str]:
    found, wrong = trial["registered"], trial["misaligned"]
    return [
        f"{CHANGES[trial['change']]}, {CONTRASTS[trial['contrast']]}",
        _mm(trial["error_mm"]),
        _mm(found["estimated_mm"]),
        _mm(found["true_mm"]),
        _mm(found["bound_mm"]),
        found["verdict"],
        "yes" if trial["passed"] else "NO",
        _mm(wrong["true_mm"]),
        _mm(wrong["estimated_mm"]),
        _mm(wrong["bound_mm"]),
        wrong["verdict"],
    ]


def _mm(value: float | None) -> str:
    return "none" if value is None else millimeters(value)


def _record(report: Mapping[str, Any], now: datetime) -> Iterator[tuple[str, str]]:
    """Files, settings and versions."""
    for name, found in report["inputs_sha256"].items():
        yield f"{Path(name).name}, SHA-256", found or "unknown"
    yield "Settings", ", ".join(f"{name}: {value}" for name, value in report["settings"].items() if value is not None)
    yield from made_with(report, f"{report['platform']}; {report['seconds']:.0f} s", now)
