"""Our own registration as methods: the default pipeline, and one measure alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from madreg_benchmark.methods.method import Options, Outcome

if TYPE_CHECKING:
    from madreg.pipeline.result import Stage


def stage_seconds(stages: list[Stage]) -> dict[str, float]:
    """Seconds of each stage by name; one that ran again for a flipped pose counts together."""
    seconds = dict.fromkeys((stage.name for stage in stages), 0.0)
    for stage in stages:
        seconds[stage.name] += stage.seconds
    return {name: round(spent, 3) for name, spent in seconds.items()}


def registered(measure: str, init: str) -> Callable[[Path, Path, bool, Options], Outcome]:
    def run(fixed: Path, moving: Path, affine: bool, options: Options) -> Outcome:
        from madreg.io.reading import reading

        with reading([fixed], [moving]) as reads:  # as the command does
            from madreg.pipeline.registration import register
            from madreg.settings import Settings

        settings = Settings(
            type="affine" if affine else "rigid", measure=measure, init=init, seed=options.seed, device=options.device
        )
        result = register(*(read.result().volume() for read in reads), settings)
        details = {
            "estimate_before_mm": result.error_before_mm,
            "estimate_mm": result.error_after_mm,
            "verdict": result.verdict,
            "consensus": result.judged and result.judged.consensus,
            "flip_ratio": result.judged and result.judged.lead,
            "mad_before_mm": result.mad_before_mm,
            "mad_mm": result.mad_after_mm,
            "overlap": result.overlap,
            "device": result.device,
            "start": np.asarray(result.start).tolist(),
            "seconds": round(result.seconds, 3),  # without start-up and reading
            "stages": stage_seconds(result.stages),
        }
        return Outcome(np.asarray(result.matrix), details)

    return run
