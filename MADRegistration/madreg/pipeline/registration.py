"""Register a moving volume to a fixed one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from ..errors import InputError
from ..image.geometry import mean_displacement
from ..image.pair import Pair
from ..image.transform import Transform
from ..image.volume import Volume
from ..measures.mad import mad_of, mean_prediction
from ..network import weights
from ..progress import Monitor, Progress
from ..quality.assessment import LEAST_OVERLAP, assess
from ..quality.quality import Quality, agreed_pose
from ..settings import Settings
from ..system import device
from .on_device import on_device
from .plan import run_plan
from .result import Result
from .size import enlargement, resized_progress, resized_result, resized_settings


def register(
    fixed: Volume,
    moving: Volume,
    settings: Settings | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Find the transform that maps fixed points to the moving points that show the same anatomy.

    Args:
        progress: called often, from this thread; may raise :class:`~madreg.progress.Cancelled` to stop.

    Raises:
        InputError: for unknown settings, a device that is not there, weights that are missing, damaged or foreign, or
            a start that mirrors or has no common field of view.
        Cancelled: from the callback.
    """

    def work(fixed: Volume, moving: Volume, settings: Settings) -> Result:
        return _register(fixed, moving, settings, progress)

    return on_device(fixed, moving, settings or Settings(), work, "the registration was done on the CPU.")


def assess_all(
    fixed: Volume, moving: Volume, transforms: Iterable[Transform], settings: Settings | None = None
) -> Iterator[Quality | None]:
    """How good each of some transforms is, as a registration would say; None where there is no overlap.

    Raises:
        InputError: as for :func:`register`.
    """
    settings = settings or Settings()
    settings.check()
    where = device.choose(settings.device)
    factor = enlargement(fixed, moving)
    pair = Pair(fixed.resized(factor).to(where), moving.resized(factor).to(where), settings.seed)
    for transform in transforms:
        here = transform.resized(factor)
        quality = assess(pair.near([here.matrix]), here, settings.type)
        yield None if quality is None else quality.resized(1 / factor)


def _register(fixed: Volume, moving: Volume, settings: Settings, progress: Callable[[Progress], None] | None) -> Result:
    """A registration in units in which both volumes have about the size of a head."""
    factor = enlargement(fixed, moving)
    if factor == 1:
        return _register_as_it_is(fixed, moving, settings, progress)
    result = _register_as_it_is(
        fixed.resized(factor),
        moving.resized(factor),
        resized_settings(settings, factor),
        resized_progress(progress, 1 / factor),
    )
    return resized_result(result, 1 / factor, settings)


def _register_as_it_is(
    fixed: Volume, moving: Volume, settings: Settings, progress: Callable[[Progress], None] | None
) -> Result:
    began, monitor = time.perf_counter(), Monitor(progress)
    if settings.weights is not None:  # what is damaged is found before the work
        weights.load_any(settings.weights, fixed.device)
    pair = Pair(fixed, moving, settings.seed)
    start = Transform.identity() if settings.start is None else Transform(settings.start)
    if start.mirrors:
        raise InputError("The initial transform mirrors the moving image: give one with a positive determinant.")
    transform, quality = run_plan(pair, start, settings, monitor)
    finish = monitor.part(0.95, 1.0)
    finish.report("estimate", 0.0, transform)
    before, after, source = _errors(pair, start, transform, quality, settings)
    finish.report("estimate", 1.0, transform)
    return Result(
        transform=transform,
        start=start,
        settings=settings,
        stages=monitor.records,
        seconds=time.perf_counter() - began,
        device=device.describe(pair.fixed.device),
        error_before_mm=before,
        error_after_mm=after,
        error_source=source,
        overlap=pair.overlap(transform.matrix),
        quality=quality,
        notices=[] if quality is None else quality.remarks,
    )


def estimated_error(
    pair: Pair, transform: Transform, quality: Quality | None, settings: Settings
) -> tuple[float | None, str]:
    """The estimated error in mm at a transform, and what it comes from: ``blocks``, or ``mad`` where they do not agree.

    Args:
        quality: of the transform; None without overlap.
    """
    if quality is not None and quality.verdict != "failed" and quality.error_mm is not None:
        return quality.error_mm, "blocks"
    predicted = _predicted(pair, transform, settings)
    if quality is not None and quality.error_mm is not None:  # blocks that do not agree may know a part of the error
        predicted = quality.error_mm if predicted is None else max(quality.error_mm, predicted)
    return predicted, "mad"


def _errors(
    pair: Pair, start: Transform, transform: Transform, quality: Quality | None, settings: Settings
) -> tuple[float | None, float | None, str]:
    """The estimated errors in mm at the start and at the end, and what they come from: ``blocks`` or ``mad``.

    Both are distances to the pose that the blocks prefer, with the deformation that they show.  Where that is not to be
    relied on, MAD predicts them.
    """
    pair = pair.near([start.matrix, transform.matrix])
    after, source = estimated_error(pair, transform, quality, settings)
    if source == "blocks" and quality is not None:
        motion_mm = mean_displacement(start.matrix, agreed_pose(quality), pair.points)
        return quality.with_deformation(motion_mm), after, source
    return _predicted(pair, start, settings), after, source


def _predicted(pair: Pair, pose: Transform, settings: Settings) -> float | None:
    """The error in mm that MAD predicts; None without overlap."""
    if pair.overlap(pose.matrix) < LEAST_OVERLAP:
        return None
    return mean_prediction(mad_of(pair, settings.weights), pose.matrix)
