"""What should be known of a pose besides the verdict, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .verdict import has_other_shape, is_ambiguous, is_clearly_worse, margin_is_small

if TYPE_CHECKING:
    from .quality import Quality


def remarks_on(quality: Quality) -> list[str]:
    """A sentence each."""
    if is_ambiguous(quality):
        return ["Several poses fit equally well, as the object is nearly symmetric: check its orientation."]
    if quality.verdict == "failed":
        return _reasons_of_failure(quality)
    said = [] if quality.stretch is None else [quality.stretch.sentence()]
    if quality.is_recognized:
        said.append("Another pose fits as well but for MAD's finest features: check the overlay.")
    if quality.is_mirrored:
        said.append("A mirror image fits better: check left and right in the headers of both scans.")
    if quality.may_be_other_body:
        said.append(
            "A mirror image fits as well: these may be scans of two patients, or the anatomy is nearly symmetric."
        )
    if has_other_shape(quality):
        said.append(
            f"The shapes of both scans differ by about {_rounded(quality.shape_error_mm)} mm, which no rigid transform "
            "corrects: the anatomy has changed, a scan is distorted, or these are scans of two patients."
        )
    return said


def _reasons_of_failure(quality: Quality) -> list[str]:
    if is_clearly_worse(quality):
        return ["Another pose fits clearly better: register the scans again."]
    if margin_is_small(quality):
        return [
            "The scans have too little in common: no pose is clearly better than others. They may not show the "
            "same part of the same body."
        ]
    return [] if quality.stretch is None else [quality.stretch.sentence()]


def _rounded(mm: float) -> str:
    """A length above 0: whole mm, of less than that its first digit."""
    return f"{mm:.0f}" if mm >= 1 else f"{mm:.1g}"
