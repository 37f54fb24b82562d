"""What should be known of a pose besides the verdict, in sentences."""

from __future__ import annotations

from .observations import Observations
from .verdict import has_other_shape, is_ambiguous, is_clearly_worse, margin_is_small, verdict_of


def remarks_on(observed: Observations) -> list[str]:
    """A sentence each."""
    if is_ambiguous(observed) and not is_clearly_worse(observed):
        return [
            "Several poses fit equally well: the object is nearly symmetric, or the scans have too little in common. "
            "Check position and orientation in the overlay."
        ]
    if verdict_of(observed) == "failed":
        return _reasons_of_failure(observed)
    said = _of_stretch(
        observed,
        "The edges of both scans agree best with a stretch that their intensities do not confirm: the estimated error "
        "may be too large.",
    )
    if observed.is_recognized:
        said.append("Another pose fits as well, and only MAD's features prefer this one: check the overlay.")
    if observed.is_mirrored:
        said.append("A mirror image fits better: check left and right in the headers of both scans.")
    if observed.may_be_other_body:
        said.append(
            "A mirror image fits as well: these may be scans of two patients, or the anatomy is nearly symmetric."
        )
    if has_other_shape(observed):
        said.append(
            f"The shapes of both scans differ by about {_rounded(observed.shape_error_mm)} mm, which no rigid "
            "transform corrects: the anatomy has changed, a scan is distorted, or these are scans of two patients."
        )
    return said


def _reasons_of_failure(observed: Observations) -> list[str]:
    if is_clearly_worse(observed):
        return ["Another pose fits clearly better: register the scans again."]
    if margin_is_small(observed):
        return [
            "The scans have too little in common: no pose is clearly better than others. They may not show the "
            "same part of the same body."
        ]
    return _of_stretch(
        observed,
        "The edges of both scans agree only with a stretch that their intensities do not confirm: they may not show "
        "the same part of the same body.",
    )


def _of_stretch(observed: Observations, doubt: str) -> list[str]:
    """A sentence on a stretch, if there is one; the doubt where it is not gained, unless the scans are aligned."""
    if observed.stretch is None:
        return []
    if observed.stretch_is_gained:
        return [observed.stretch.sentence()]
    return [] if verdict_of(observed) == "aligned" else [doubt]


def _rounded(mm: float) -> str:
    """A length above 0: whole mm, of less than that its first digit."""
    return f"{mm:.0f}" if mm >= 1 else f"{mm:.1g}"
