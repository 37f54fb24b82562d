"""What goes into the files that registrations and assessments have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..system.lengths import millimeters

if TYPE_CHECKING:
    import numpy as np

    from ..image.volume import Volume
    from ..quality.error_map import ErrorMap
    from ..system.files import Content


@dataclass(frozen=True)
class Findings:
    """What files are made of.

    Attributes:
        fixed, moving: the volumes that were compared.
        before: 4x4, fixed LPS to moving LPS, mm, where the moving volume lay; None if it was not moved.
        matrix: the same, where it lies.
        title: of pictures.
        error_before_mm, error_mm: estimated mean error; None where unknown.
        errors: the estimated local error; None unless it is needed and known.
        report: everything as plain types.
    """

    fixed: Volume
    moving: Volume
    before: np.ndarray | None
    matrix: np.ndarray
    title: str
    error_before_mm: float | None
    error_mm: float | None
    errors: ErrorMap | None
    report: dict[str, Any]


def content(name: str, findings: Findings) -> Content:
    """What goes into an output: the ``error_map``, ``report``, ``overlay`` or ``page``."""
    from ..io import writing

    if name == "error_map":
        assert findings.errors is not None
        return writing.image_content(findings.errors.image())
    if name == "report":
        return writing.report_content(findings.report)
    if name == "overlay":
        from ..pictures import overlay

        return writing.picture_content(
            overlay.draw(
                findings.fixed,
                findings.moving,
                findings.before,
                findings.matrix,
                findings.title,
                _millimeters(findings.error_before_mm),
                _millimeters(findings.error_mm),
            )
        )
    from ..pages import pictures
    from ..pages.page import page
    from ..system.files import bytes_content

    errors = None if findings.report["verdict"] == "failed" else findings.errors
    drawn = pictures.draw(findings.fixed, findings.moving, findings.matrix, errors)
    return bytes_content(page(findings.report, drawn).encode("utf-8"))


def short_name(name: str) -> str:
    """The last part of a path, for a title."""
    return "".join(one if one.isprintable() else "?" for one in Path(name).resolve().name)


def _millimeters(error: float | None) -> str:
    return "" if error is None else f"error about {millimeters(error)}"
