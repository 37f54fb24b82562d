"""Where a job stands, in words and in percent, for the progress bar."""

from __future__ import annotations

from madreg.system.lengths import millimeters

from ..jobs.progress import Progress
from ..translation import _

STAGES = {
    "preparing": "Preparing the volumes",
    "starting": "Starting the registration process (a few seconds, the first time)",
    "search": "Searching all poses",
    "matches": "Following the network's matches",
    "candidates": "Comparing the best poses",
    "size": "Estimating the size",
    "coarse": "Refining, coarse",
    "medium": "Refining, medium",
    "fine": "Refining, fine",
    "estimate": "Estimating the error",
    "writing": "Writing the result",
    "finishing": "Showing the result",
    "files": "Registering files",
}

PREPARED, SPAN = 0.02, 0.96
"""Share of the whole that is done when the worker begins, and that of its own work: 100 % is the end."""


def textOf(progress: Progress, position: str = "") -> str:
    """Stage, time left and estimated error.

    Args:
        position: of the job among many, such as ``2/5``; empty if there is only one.
    """
    parts = [position] if position else []
    parts.append(_(STAGES.get(progress.stage, progress.stage.replace("_", " ").capitalize())))
    if progress.secondsLeft is not None:
        parts.append(_("{seconds} s left").format(seconds=max(1, round(progress.secondsLeft))))
    if progress.errorMm is not None:
        parts.append(_("estimated error {error}").format(error=millimeters(progress.errorMm)))
    return " - ".join(parts)


def percentOf(progress: Progress) -> int:
    """Share of the whole job."""
    isBefore = progress.stage in ("preparing", "starting")
    return round(100 * (progress.fraction if isBefore else PREPARED + SPAN * progress.fraction))
