"""Our own registration as methods: the default pipeline, and one measure alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from madreg_benchmark.methods.method import Options, Outcome

if TYPE_CHECKING:
    from madreg.progress import StageRecord


def stage_seconds(stages: list[StageRecord]) -> dict[str, float]:
    """Seconds of each stage by name; one that ran again for a flipped pose counts together."""
    seconds = dict.fromkeys((stage.name for stage in stages), 0.0)
    for stage in stages:
        seconds[stage.name] += stage.seconds
    return {name: round(spent, 3) for name, spent in seconds.items()}


def registered(measure: str, init: str) -> Callable[[Path, Path, bool, Options], Outcome]:
    def run(fixed: Path, moving: Path, affine: bool, options: Options) -> Outcome:
        from madreg.pipeline.job import Job, run_job
        from madreg.pipeline.job_sources import ScanFile
        from madreg.settings import Settings

        settings = Settings(
            type="affine" if affine else "rigid", measure=measure, init=init, seed=options.seed, device=options.device
        )
        result = run_job(Job(ScanFile(fixed), ScanFile(moving), settings)).result
        details = {
            "estimate_before_mm": result.error_before_mm,
            "estimate_mm": result.error_after_mm,
            "verdict": result.verdict,
            "consensus": result.quality and result.quality.consensus,
            "margin": result.quality and result.quality.margin,
            "estimate_source": result.error_source,
            "overlap": result.overlap,
            "device": result.device,
            "start": result.start.matrix.tolist(),
            "seconds": round(result.seconds, 3),  # without start-up and reading
            "stages": stage_seconds(result.stages),
        }
        return Outcome(np.asarray(result.matrix), details)

    return run
