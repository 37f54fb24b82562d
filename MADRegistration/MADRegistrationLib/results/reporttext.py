"""The report of a registration or an assessment in words."""

from __future__ import annotations

from html import escape
from typing import Any

from madreg.pages.known import is_unknown
from madreg.system.lengths import millimeters

from ..translation import _
from .verdict import COLORS, verdictOf

STRUCTURES = 5
"""How many structures are named in the details."""


def rowsOf(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values of everything worth knowing about a result; what an assessment does not know is left out.

    ``moved_mm`` of the report is how far the centre of the moving volume went; ``volume_scale`` is a ratio of volumes,
    shown as the mean ratio of lengths, of moving to fixed.
    """
    isAssessment = report.get("is_assessment")
    errors = [(_("Estimated error before"), "error_before_mm"), (_("Estimated error after"), "error_after_mm")]
    if isAssessment:
        errors = [(_("Estimated error"), "error_after_mm")]
    return [
        *((name, millimeters(report.get(key))) for name, key in errors),
        *([] if is_unknown(report, "worst_mm") else [(_("Largest local error"), millimeters(report["worst_mm"]))]),
        (_("Overlap of the fields of view"), f"{100 * report['overlap']:.0f} %"),
        *_structuresOf(report),
        *([] if isAssessment else _motionOf(report)),
        (_("Time"), f"{report['seconds']:.1f} s on {report['device']}"),
    ]


def _structuresOf(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Of the :data:`STRUCTURES` that are farthest off; the table of the pair has all."""
    known = [one for one in report.get("structures", []) if one["mean_mm"] is not None]
    farthest = sorted(known, key=lambda one: -one["mean_mm"])[:STRUCTURES]
    text = _("{error}, at most {bound}")
    return [
        (one["name"], text.format(error=millimeters(one["mean_mm"]), bound=millimeters(one["bound_mm"])))
        for one in farthest
    ]


def _motionOf(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (_("Translation (of the center)"), millimeters(report.get("moved_mm"))),
        (_("Rotation"), f"{report['rotation_degrees']:.1f}°" if "rotation_degrees" in report else _("unknown")),
        (_("Scale"), f"{report['volume_scale'] ** (1 / 3):.3f}" if "volume_scale" in report else _("unknown")),
    ]


def headline(report: dict[str, Any]) -> str:
    """The verdict with one number, and the reason, as rich text."""
    verdict, reason = verdictOf(report)
    number = ""
    if report.get("error_after_mm") is not None:
        number = " &nbsp;" + _("{error} estimated error").format(
            error=f"<b>{millimeters(report['error_after_mm'])}</b>"
        )
    if report.get("bound_mm") is not None:
        reason = _("At most {bound} in 95 % of cases.").format(bound=millimeters(report["bound_mm"])) + f" {reason}"
    notices = "".join(f"<p>{escape(notice, quote=False)}</p>" for notice in report.get("notices", []))
    name = f'<b style="color:{COLORS[verdict]}">{verdict.upper()}</b>'
    return f'<p><span style="font-size:large">{name}{number}</span><br>{reason}</p>{notices}'


def details(report: dict[str, Any]) -> str:
    """All numbers, as rich text."""
    rows = "".join(
        f"<tr><td>{escape(name, quote=False)}:&nbsp;&nbsp;</td><td>{escape(value, quote=False)}</td></tr>"
        for name, value in rowsOf(report)
    )
    return f"<table>{rows}</table>"
