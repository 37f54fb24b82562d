"""What a method of registration is to the benchmark."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


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
