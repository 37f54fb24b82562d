"""What the benchmark compares, by name: our pipeline, its measures alone, simple baselines and peers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from madreg.errors import InputError
from madreg_benchmark.methods import peers
from madreg_benchmark.methods.method import Method, Options, Outcome
from madreg_benchmark.methods.own import registered

_MEASURES = ("mad", "nmi", "ngf", "mad-distance")
_OWN_PACKAGE = "madreg.pipeline.registration"


def _peer(function: Callable[[Path, Path, bool], np.ndarray]) -> Callable[[Path, Path, bool, Options], Outcome]:
    return lambda fixed, moving, affine, options: Outcome(function(fixed, moving, affine))


def _alone(suffix: str, initialization: str) -> list[Method]:
    """Each measure alone, at one resolution and without refinement, from an initialization."""
    return [Method(f"{name}{suffix}", True, registered(name, initialization), _OWN_PACKAGE) for name in _MEASURES]


METHODS = {
    method.name: method
    for method in [
        Method("default", True, registered("default", "search"), _OWN_PACKAGE),
        *_alone("", "geometry"),
        *_alone(":given", "given"),
        Method("identity", False, _peer(peers.identity)),
        Method("centers", False, _peer(peers.centers)),
        *(Method(f"peer:{name}", False, _peer(f), package, pypi) for name, (f, package, pypi) in peers.PEERS.items()),
        *_alone(":search", "search"),
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
