"""What may be off by some millimeters is moved to where blocks or MAD's features prefer it."""

from __future__ import annotations

from collections.abc import Sequence

from ..image.pair import Pair
from ..image.transform import Transform
from ..progress import Monitor
from ..quality.fine_features import followed
from ..quality.verdict import ALIGNED_MM
from .found import Found
from .refining import best_refined, better_refined


def re_refined(pair: Pair, found: Found, kind: str, others: Sequence[Transform], monitor: Monitor) -> Found:
    """A pose whose blocks prefer another, refined from there; the old one if that is better, or if they do not.

    The histogram of a distorted slab has many local minima, in which descents end 10 to 20 mm off.
    """
    quality = found.quality
    if quality is None or quality.motion_mm is None or quality.motion_mm <= ALIGNED_MM:
        return found
    other = best_refined(pair, [quality.preferred], kind, monitor)
    best = better_refined(pair, found.transform, other, kind)
    return found if best is found.transform else Found.at(pair, best, kind, others)


def followed_by_features(pair: Pair, found: Found, kind: str, others: Sequence[Transform], monitor: Monitor) -> Found:
    """A pose that may be off, moved to where MAD's features agree clearly better, if they do nearby.

    Blocks and NMI of distorted slabs and of unlike contrasts may agree on a stretch that is none.
    """
    quality = found.quality
    if quality is None or quality.error_mm is None or quality.error_mm <= ALIGNED_MM or not found.has_clear_place:
        return found
    monitor.report("estimate", 0.0, found.transform)
    pose = followed(pair, found.transform.matrix, kind)
    if pose is None:
        return found
    other = Found.at(pair, Transform(pose), kind, others)
    if other.verdict == "failed" or other.quality is None or other.quality.error_mm is None:
        return found
    return other if other.quality.error_mm < quality.error_mm else found
