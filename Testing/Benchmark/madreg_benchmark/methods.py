"""What the benchmark compares, by name: our pipeline, its measures alone, simple baselines and peers."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from madreg.errors import InputError
from madreg_benchmark import peers

if TYPE_CHECKING:
    from madreg.pipeline.result import Stage


@dataclass(frozen=True)
class Options:
    """What all of our own methods are run with."""

    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True)
class Outcome:
    """What a method says of a pair.

    Attributes:
        matrix: 4x4, fixed LPS to moving LPS, mm.
        details: anything else worth a place in the row, JSON-able.
    """

    matrix: np.ndarray
    details: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A way to register two files.

    Attributes:
        name: as on the command line.
        ours: whether it runs this project's registration, so that its rows depend on weights and seed.
        run: (fixed file, moving file, affine?, options) to its outcome.
        package: what it needs to import.
        install: what that is called on PyPI.
    """

    name: str
    ours: bool
    run: Callable[[Path, Path, bool, Options], Outcome]
    package: str = "SimpleITK"
    install: str = "SimpleITK"

    @property
    def available(self) -> bool:
        return importlib.util.find_spec(self.package) is not None

    def prepare(self) -> None:
        """Import everything, so that the clock of a trial does not see it."""
        importlib.import_module(self.package)


def stage_seconds(stages: list[Stage]) -> dict[str, float]:
    """Seconds of each stage by name; one that ran again for a rival pose counts together."""
    seconds = dict.fromkeys((stage.name for stage in stages), 0.0)
    for stage in stages:
        seconds[stage.name] += stage.seconds
    return {name: round(spent, 3) for name, spent in seconds.items()}


def _registered(measure: str, init: str) -> Callable[[Path, Path, bool, Options], Outcome]:
    def run(fixed: Path, moving: Path, affine: bool, options: Options) -> Outcome:
        from madreg.pipeline.job import Job, ScanFile, run_job
        from madreg.settings import Settings

        settings = Settings(
            type="affine" if affine else "rigid", measure=measure, init=init, seed=options.seed, device=options.device
        )
        result = run_job(Job(ScanFile(fixed), ScanFile(moving), settings)).result
        details = {
            "estimate_before_mm": result.error_before_mm,
            "estimate_mm": result.error_after_mm,
            "verdict": result.verdict,
            "consensus": result.judged and result.judged.consensus,
            "lead": result.judged and result.judged.lead,
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


def _peer(function: Callable[[Path, Path, bool], np.ndarray]) -> Callable[[Path, Path, bool, Options], Outcome]:
    return lambda fixed, moving, affine, options: Outcome(function(fixed, moving, affine))


METHODS = {
    method.name: method
    for method in [
        Method("default", True, _registered("default", "search"), "madreg.pipeline.registration"),
        # alone: one measure at one resolution from the centres of geometry, no search and no refinement
        *(
            Method(name, True, _registered(name, "geometry"), "madreg.pipeline.registration")
            for name in ("mad", "nmi", "ngf")
        ),
        # alone, and from where the scans lie
        *(
            Method(f"{name}:given", True, _registered(name, "none"), "madreg.pipeline.registration")
            for name in ("mad", "nmi", "ngf")
        ),
        Method("identity", False, _peer(peers.identity)),
        Method("centers", False, _peer(peers.centers)),
        *(Method(f"peer:{name}", False, _peer(f), package, pypi) for name, (f, package, pypi) in peers.PEERS.items()),
        # alone, after the search that the default begins with: a measure at its best
        *(
            Method(f"{name}:search", True, _registered(name, "search"), "madreg.pipeline.registration")
            for name in ("mad", "nmi", "ngf")
        ),
    ]
}


def find_methods(names: list[str]) -> tuple[list[Method], list[str]]:
    """Methods by name, and a sentence for each that is left out because its package is not installed.

    Raises:
        InputError: for an unknown name, or if none is left.
    """
    methods, notices = [], []
    for name in dict.fromkeys(names):
        if name not in METHODS:
            raise InputError(f"There is no method {name}; choose from {', '.join(METHODS)}.")
        if METHODS[name].available:
            methods.append(METHODS[name])
        else:
            notices.append(f"{name} is left out: it needs the package {METHODS[name].install}.")
    if not methods:
        raise InputError(" ".join(notices) or "No method was named.")
    return methods, notices
