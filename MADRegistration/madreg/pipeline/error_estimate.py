"""The estimated error of a pose: from blocks, or, where these do not agree, from MAD or a pose that fits better."""

from __future__ import annotations

from ..image.geometry import mean_displacement
from ..image.pair import Pair
from ..image.transform import Transform
from ..measures.mad import mad_of, mean_prediction
from ..quality.assessment import NO_OVERLAP
from ..quality.quality import Quality, agreed_pose
from ..quality.verdict import LEAST_CONSENSUS, is_clearly_worse, margin_is_small
from ..settings import Settings


def estimated_error(
    pair: Pair, transform: Transform, quality: Quality | None, settings: Settings
) -> tuple[float | None, str]:
    """The estimated error in mm at a transform, None where unknown, and what it comes from: ``blocks``, ``mad``, or
    ``other``, which is the distance to another pose that fits clearly better.

    Args:
        quality: of the transform; None without overlap.
    """
    if quality is not None and quality.error_mm is not None and _is_known_by_blocks(quality):
        return quality.error_mm, "blocks"
    predicted = _predicted(pair, transform, settings)
    if quality is not None and quality.error_mm is not None:  # blocks that do not agree may know a part of the error
        predicted = quality.error_mm if predicted is None else max(quality.error_mm, predicted)
    if quality is not None and quality.other is not None and is_clearly_worse(quality):
        away = mean_displacement(transform.matrix, quality.other.matrix, pair.points)
        if predicted is None or away > predicted:
            return away, "other"
    return predicted, "mad"


def errors_before_and_after(
    pair: Pair, start: Transform, transform: Transform, quality: Quality | None, settings: Settings
) -> tuple[float | None, float | None, str]:
    """The estimated errors in mm at the start and at the end, None where unknown, and what the latter comes from, as
    for :func:`estimated_error`.

    Both are distances to the pose that the blocks prefer, with the deformation that they show.  Where that is not to be
    relied on, MAD predicts that at the start.

    Args:
        quality: of the transform at the end; None without overlap.
    """
    pair = pair.near([start.matrix, transform.matrix])
    after, source = estimated_error(pair, transform, quality, settings)
    if source == "blocks" and quality is not None:
        motion_mm = mean_displacement(start.matrix, agreed_pose(quality), pair.points)
        return quality.with_deformation(motion_mm), after, source
    return _predicted(pair, start, settings), after, source


def _is_known_by_blocks(quality: Quality) -> bool:
    """Whether the blocks show the error: at a pose that does not fail, or that fails as they agree that it is far off.

    At a wrong pose that fits as well as the right one they agree on a pose nearby.
    """
    is_clear = quality.consensus >= LEAST_CONSENSUS and not margin_is_small(quality)
    return quality.verdict != "failed" or is_clear


def _predicted(pair: Pair, pose: Transform, settings: Settings) -> float | None:
    """The error in mm that MAD predicts; None without overlap."""
    if pair.overlap(pose.matrix) < NO_OVERLAP:
        return None
    return mean_prediction(mad_of(pair, settings.weights), pose.matrix)
