"""Register a moving volume to a fixed one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from ..errors import InputError
from ..image.pair import Pair
from ..image.transform import Transform
from ..image.volume import Volume
from ..network import weights
from ..progress import Monitor, Progress
from ..quality.quality import remarks_or_no_overlap
from ..settings import Settings
from ..system import device
from .error_estimate import errors_before_and_after
from .on_device import on_device
from .plan import run_plan
from .result import Result
from .size import enlargement, resized_progress, resized_result, resized_settings, unit_doubts


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
        result = _register(fixed, moving, settings, progress)
        doubts = unit_doubts(fixed, moving) if result.verdict == "failed" else []
        return replace(result, notices=[*result.notices, *doubts])

    return on_device(fixed, moving, settings or Settings(), work, "the registration was done on the CPU.")


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
    before, after, source = errors_before_and_after(pair, start, transform, quality, settings)
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
        notices=remarks_or_no_overlap(quality),
    )
