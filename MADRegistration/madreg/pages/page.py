"""One page to keep of a registration or an assessment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ..system.lengths import millimeters, rounded
from .document import document, facts, figure, side, table, text
from .pictures import Pictures

VERDICTS = {
    "aligned": ("Aligned", "The estimated error is small. Confirm it by looking at the pictures."),
    "check": ("Check", "The alignment may be right, but this is uncertain. Look at the pictures before you use it."),
    "failed": ("Failed", "The scans are not aligned, or no pose is clearly the right one. Do not use this alignment."),
}
INPUTS = {
    "fixed": "Fixed scan",
    "fixed_mask": "Mask of the fixed scan",
    "moving": "Moving scan",
    "moving_mask": "Mask of the moving scan",
    "initial_transform": "Initial transform",
    "transform": "Transform",
    "segmentation": "Segmentation",
}
CAPTION_SCANS = (
    "The fixed scan; the moving scan where the alignment puts it; and in orange its edges on the fixed scan. The "
    "patient's left is on the right."
)
CAPTION_MIXED = (
    "Both scans at once (fixed: blue, moving: red), and squares from each in turn: where the alignment is right, "
    "outlines continue from square to square."
)
CAPTION_ERRORS = "The place with the largest estimated error: edges, and the error in color."
WHOLE_MM = 10.0
"""A place nearer to the origin than this along all axes is given with decimals."""
MOST_STRUCTURES = 12
"""So many fit on the first side."""
DISCLAIMER = "Research software, not a medical device."
CAUTION = f"All errors are estimated from the two scans, not measured. {DISCLAIMER}"


def page(report: Mapping[str, Any], pictures: Pictures, now: datetime | None = None) -> str:
    """The page as HTML, pictures included.

    It prints on two sides of A4; between them come sides for more than :data:`MOST_STRUCTURES` structures.

    Args:
        report: of :func:`~madreg.pipeline.job.run_job` or :func:`~madreg.pipeline.assessment_job.run_assessment`.
        now: the time of writing.
    """
    names = [Path(report[role]["name"]).name or report[role]["name"] for role in ("moving", "fixed")]
    title = f"Alignment of {names[0]} with {names[1]}"
    structures = report.get("structures") or []
    listed = [f"<h2>Structures</h2>{_structures(structures)}"] if structures else []
    is_long = len(structures) > MOST_STRUCTURES
    parts = [
        side(_result(title, report, pictures, [] if is_long else listed)),
        *(listed if is_long else []),
        side(_details(report, pictures, now or datetime.now().astimezone())),
    ]
    return document(title, "\n".join(parts))


def _result(title: str, report: Mapping[str, Any], pictures: Pictures, structures: Sequence[str]) -> Iterator[str]:
    """The first side."""
    word, meaning = VERDICTS[report["verdict"]]
    yield f"<h1>{text(title)}</h1>"
    yield f'<p><span class="verdict {report["verdict"]}">{word}</span>{text(meaning)}</p>'
    yield facts(_numbers(report))
    yield figure(pictures.scans, CAPTION_SCANS)
    yield from structures
    yield f"<p>{text(CAUTION)}</p>"


def _details(report: Mapping[str, Any], pictures: Pictures, now: datetime) -> Iterator[str]:
    """The second side."""
    yield figure(pictures.mixed, CAPTION_MIXED)
    if pictures.errors is not None:
        yield figure(pictures.errors, CAPTION_ERRORS)
    if report["notices"]:
        yield "<h2>Notes</h2>"
        yield f"<ul>{''.join(f'<li>{text(notice)}</li>' for notice in report['notices'])}</ul>"
    yield "<h2>Record</h2>"
    yield facts(_record(report, now), "record")


def _numbers(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The main results."""
    error = report["error_mm"] if "error_mm" in report else report["error_after_mm"]
    before = report.get("error_before_mm")
    further = "" if error is None or before is None else f" (before: {millimeters(before)})"
    yield "Estimated mean error", millimeters(error) + further
    if report.get("bound_mm") is not None:
        yield "In 95 % of cases it is at most", millimeters(report["bound_mm"])
    if report.get("worst_mm") and report["verdict"] != "failed":
        yield "Largest estimated error", f"{millimeters(report['worst_mm'])}, {_place(report['worst_point_lps'])}"
    yield "In common", f"{100 * report['overlap']:.0f} % of the body in the fixed scan lies within the moving scan"
    if report.get("rotation_degrees") is not None:
        yield "Rotation that was corrected", f"{report['rotation_degrees']:.1f} degrees"


def _place(point: list[float]) -> str:
    """A point in LPS mm in words."""
    letters = ("LR", "PA", "SI")
    is_small = max(map(abs, point)) < WHOLE_MM
    numbers = (rounded(abs(value)) if is_small else f"{abs(value):.0f}" for value in point)
    sides = (pair[value < 0] for pair, value in zip(letters, point, strict=True))
    return "at " + ", ".join(f"{side} {number}" for side, number in zip(sides, numbers, strict=True))


def _structures(structures: list[Mapping[str, Any]]) -> str:
    rows = []
    for one in structures:
        errors = [millimeters(one[key]) for key in ("mean_mm", "bound_mm", "largest_mm")]
        known = f"{100 * one['known']:.0f} %"
        rows.append([one["name"], str(one["voxels"]), f"{rounded(one['volume_ml'])} ml", *errors, known])
    names = ["Structure", "Voxels", "Volume", "Mean error", "In 95 % of cases at most", "Largest error", "Assessed"]
    return table(names, rows)


def _record(report: Mapping[str, Any], now: datetime) -> Iterator[tuple[str, str]]:
    """Files, settings and versions, for provenance."""
    hashes = report.get("inputs_sha256", {})
    for role, label in INPUTS.items():
        scan = report.get(role) if role in ("fixed", "moving") else None
        if scan is not None:
            size = " x ".join(map(str, scan["size"]))
            spacing = " x ".join(f"{one:.3g}" for one in scan["spacing_mm"])
            yield label, f"{scan['name']}: {size} voxels of {spacing} mm"
            if scan.get("series"):
                yield f"{label}, series", scan["series"]
        elif isinstance(report.get(role), str):
            kind = f" ({report['transform_type']})" if role == "transform" else ""
            yield label, f"{report[role]}{kind}"
        if hashes.get(role):
            yield f"{label}, SHA-256", hashes[role]
    settings = {name: value for name, value in report["settings"].items() if value is not None and name != "start"}
    yield "Settings", ", ".join(f"{name}: {value}" for name, value in settings.items())
    matrix = report.get("matrix_fixed_to_moving_lps")
    if matrix:
        rows = "; ".join(" ".join(f"{value:.4f}" for value in row) for row in matrix[:3])
        yield "Transform (LPS, mm)", rows
    yield from made_with(
        report, f"{report['device']}; {report.get('platform', 'unknown')}; {report['seconds']:.1f} s", now
    )


def made_with(report: Mapping[str, Any], computer: str, now: datetime) -> Iterator[tuple[str, str]]:
    """The lines with which a record ends: network, versions, computer and time."""
    yield "Network, SHA-256", report["weights_sha256"]
    versions = {"MADRegistration": report["madreg"], **report.get("versions", {})}
    yield "Software", ", ".join(f"{name} {version}" for name, version in versions.items())
    yield "Computer", computer
    yield "Written", now.strftime("%Y-%m-%d %H:%M:%S %z")
