"""Objects much smaller or larger than a head, in units in which they have its size.

All lengths of a registration, from the lattice of the search to the blocks, are made for heads, and MAD was trained on
them.  A mouse or a tooth is registered as if it were as large, and what is found is scaled back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from ..image.foreground import BACKGROUND
from ..image.geometry import resized
from ..image.volume import Volume
from ..progress import Progress
from ..settings import Settings
from .result import Result

HEAD = 75.0  # mm, radius of gyration
ACROSS = 64  # voxels along each axis that are looked at, at least
NEAR_TENS = 0.15  # decimal logarithm of a factor of 1.4, by which the radii of two scans of one head may differ
SMALLEST, LARGEST = 40.0, 1000.0  # mm: from a small field of view in a neck to a person


def bright_radius(volume: Volume) -> float:
    """Root mean square distance in mm of all that is brighter than the background from its middle.

    Unlike the radius of gyration of the foreground it takes no length for granted.  Of large volumes every few voxels
    are enough.
    """
    steps = [max(1, count // ACROSS) for count in volume.grid.size]
    some = tuple(slice(None, None, step) for step in steps[::-1])
    there = (volume.data[some] > BACKGROUND) & volume.mask[some]
    total, square = 0.0, 0.0
    for axis, spacing in zip((2, 1, 0), volume.grid.spacing * steps, strict=True):
        others = [other for other in range(3) if other != axis]
        share = there.sum(others).cpu().double()
        index = torch.arange(len(share), dtype=torch.float64)
        total = float(share.sum())
        if total == 0:
            return 0.0
        middle = float(share @ index) / total
        square += float(share @ (index - middle).square()) / total * spacing**2
    return float(np.sqrt(square))


def enlargement(fixed: Volume, moving: Volume) -> float:
    """The power of two by which both volumes are enlarged: 1 unless both are much smaller or larger than a head."""
    radii = [bright_radius(volume) for volume in (fixed, moving)]
    if min(radii) > 0 and (max(radii) < SMALLEST or min(radii) > LARGEST):
        return float(2.0 ** np.round(np.log2(HEAD / max(radii))))
    return 1.0


def unit_doubts(fixed: Volume, moving: Volume) -> list[str]:
    """A sentence if one volume shows something 10, 100, ... times as large as the other one; none if not.

    To be said of a registration that failed: a part of a body may be as much smaller than the whole.
    """
    small, large = sorted(((bright_radius(volume), volume.name) for volume in (fixed, moving)), key=lambda one: one[0])
    if small[0] == 0:
        return []
    tens = np.log10(large[0] / small[0])
    if round(tens) < 1 or abs(tens - round(tens)) > NEAR_TENS:
        return []
    return [
        f"{large[1]} shows something about {10 ** round(tens)} times as large as {small[1]} does: if it is the same, "
        "one of their headers uses another unit of length; correct its spacing and origin."
    ]


def resized_settings(settings: Settings, factor: float) -> Settings:
    """The settings for volumes enlarged by a factor."""
    return settings if settings.start is None else replace(settings, start=resized(settings.start, factor))


def resized_progress(progress: Callable[[Progress], None] | None, factor: float) -> Callable[[Progress], None] | None:
    """A callback that is called with lengths multiplied by a factor."""
    if progress is None:
        return None

    def scaled(now: Progress) -> None:
        error_mm = None if now.error_mm is None else factor * now.error_mm
        progress(replace(now, transform=now.transform.resized(factor), error_mm=error_mm))

    return scaled


def resized_result(result: Result, factor: float, settings: Settings) -> Result:
    """A result with lengths multiplied by a factor, for these settings."""
    before, after = (None if mm is None else factor * mm for mm in (result.error_before_mm, result.error_after_mm))
    return replace(
        result,
        transform=result.transform.resized(factor),
        start=result.start.resized(factor),
        settings=settings,
        error_before_mm=before,
        error_after_mm=after,
        quality=None if result.quality is None else result.quality.resized(factor),
    )
