"""What should be known of a pose besides the verdict, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .quality import Quality


def remarks_on(quality: Quality, aligned_mm: float) -> list[str]:
    """A sentence each.

    Args:
        aligned_mm: error up to which a pose may be aligned.
    """
    if quality.is_ambiguous:
        return ["Several poses fit equally well, as the object is nearly symmetric: check its orientation."]
    if quality.verdict == "failed":
        return _reasons_of_failure(quality)
    said = [] if quality.stretch is None else [quality.stretch.sentence()]
    if quality.is_mirrored:
        said.append("A mirror image fits better: check left and right in the headers of both scans.")
    if quality.may_be_other_body:
        said.append(
            "A mirror image fits as well: these may be scans of two patients, or the anatomy is nearly symmetric."
        )
    if quality.shape_error_mm > aligned_mm:
        said.append(
            f"The shapes of both scans differ by about {quality.shape_error_mm:.0f} mm, which no rigid transform "
            "corrects: the anatomy has changed, a scan is distorted, or these are scans of two patients."
        )
    return said


def _reasons_of_failure(quality: Quality) -> list[str]:
    if quality.is_clearly_worse:
        return ["Another pose fits clearly better: register the scans again."]
    if quality.margin_is_small:
        return [
            "The scans have too little in common: no pose is clearly better than others. They may not show the "
            "same part of the same body."
        ]
    return []
