"""The verdict of a report, its color, and the reason in one sentence."""

from __future__ import annotations

from typing import Any

COLORS = {"aligned": "#2e7d32", "check": "#b26a00", "failed": "#c62828"}

REASONS = {
    "aligned": "The estimated error is small: confirm it by looking at the overlay.",
    "check": "The estimated error is not small, or not certain: look at the overlay before you rely on it.",
    "failed": "The volumes do not seem to fit: try another initialization, or masks around the common anatomy.",
}

FAILED_ASSESSMENT = "The volumes do not seem to fit where they lie: register them."


def verdictOf(report: dict[str, Any]) -> tuple[str, str]:
    """``aligned``, ``check`` or ``failed``, and the reason in one sentence.

    It is the backend's (:mod:`madreg.quality.quality`), but without an estimate never ``aligned``.
    """
    verdict = report.get("verdict", "check")
    if verdict == "failed":
        return verdict, FAILED_ASSESSMENT if report.get("is_assessment") else REASONS[verdict]
    if report.get("little_overlap"):
        return verdict, "The volumes have little in common: look at the overlay before you rely on it."
    if report.get("error_after_mm") is None:
        return "check", "There is no estimate of the error for this result: look at the overlay."
    return verdict, REASONS[verdict]
