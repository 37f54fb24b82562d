"""What came out, in words: for the panel, and one row for the table of many."""

from __future__ import annotations

from html import escape
from typing import Any

COLORS = {"aligned": "#2e7d32", "check": "#b26a00", "failed": "#c62828"}

REASONS = {
    "aligned": "The estimated error is small. Only your eyes can confirm it.",
    "check": "The estimated error is not small, or not certain: look at the overlay before you rely on it.",
    "failed": "The volumes do not seem to fit: try another start, or masks around the common anatomy.",
}


def verdictOf(report: dict[str, Any]) -> tuple[str, str]:
    """``aligned``, ``check`` or ``failed``, and the reason in one sentence.

    It is the backend's (:mod:`madreg.quality.quality`), but without an estimate never ``aligned``.
    """
    verdict = report.get("verdict", "check")
    if verdict == "failed":
        return verdict, REASONS[verdict]
    if report.get("little_overlap"):
        return verdict, "The volumes have little in common: look at the overlay before you rely on it."
    if report.get("error_after_mm") is None:
        return "check", "There is no estimate of the error for this result: look at the overlay."
    return verdict, REASONS[verdict]


def millimetres(value: float | None) -> str:
    """A length for people: ``1.3 mm``, or ``unknown``."""
    return "unknown" if value is None else f"{value:.1f} mm"


def rowOf(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values of everything worth knowing about a result.

    ``moved_mm`` of the report is how far the centre of the moving volume went; ``volume_scale`` is a ratio of volumes,
    shown as the mean ratio of lengths, of moving to fixed.
    """
    rows = [
        ("Estimated error before", millimetres(report.get("error_before_mm"))),
        ("Estimated error after", millimetres(report.get("error_after_mm"))),
        ("Largest error of a region", millimetres(report.get("worst_mm"))),
        ("Overlap of the fields of view", f"{100 * report['overlap']:.0f} %"),
        ("Moved (at its center)", millimetres(report.get("moved_mm"))),
        ("Turned", f"{report['rotation_degrees']:.1f}°" if "rotation_degrees" in report else "unknown"),
        ("Scale", f"{report['volume_scale'] ** (1 / 3):.3f}" if "volume_scale" in report else "unknown"),
        ("Time", f"{report['seconds']:.1f} s on {report['device']}"),
    ]
    return rows


def resultHtml(report: dict[str, Any]) -> str:
    """The result for a rich text label."""
    verdict, reason = verdictOf(report)
    rows = "".join(f"<tr><td>{name}:&nbsp;&nbsp;</td><td>{escape(value)}</td></tr>" for name, value in rowOf(report))
    notices = "".join(f"<p>{escape(notice)}</p>" for notice in report.get("notices", []))
    return (
        f'<p><b style="color:{COLORS[verdict]}">{verdict.upper()}</b> &nbsp;{reason}</p><table>{rows}</table>{notices}'
    )
